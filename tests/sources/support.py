"""Running a source the way the engine does, and waiting for what comes of it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from selfheal.errors import SourceError
from selfheal.model import SourceSpec
from selfheal.plugin_lookup import Places
from selfheal.ports import JSON
from selfheal.sources import (
    ReportKind,
    Source,
    SourceEnd,
    SourceReport,
    load_source,
    run_source,
)
from selfheal.sources.plugins import SourceMain

T = TypeVar("T")


class Run:
    """A source that runs in the background."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[JSON] = asyncio.Queue()
        self.reports: list[SourceReport] = []
        self.task: asyncio.Task[SourceEnd]

    async def event(self, within: float = 20.0) -> Any:
        """The next event; the source's error when it dies first."""
        getting = asyncio.create_task(self.queue.get())
        await asyncio.wait(
            {getting, self.task}, timeout=within, return_when=asyncio.FIRST_COMPLETED
        )
        if not getting.done():
            getting.cancel()
            if self.task.done():
                self.task.result()
            raise TimeoutError(f"no event within {within} s; reports: {self.reports}")
        return getting.result()

    async def end(self, within: float = 20.0) -> SourceEnd:
        """How it ended by itself."""
        return await asyncio.wait_for(asyncio.shield(self.task), within)

    async def report(self, kind: ReportKind) -> SourceReport:
        """The first report of that kind."""
        return await until(lambda: next((r for r in self.reports if r.kind is kind), None))

    def events(self) -> list[Any]:
        """All that is in the queue now."""
        return [self.queue.get_nowait() for _ in range(self.queue.qsize())]


@contextlib.asynccontextmanager
async def running(
    source: str | Source,
    args: Mapping[str, Any] | None = None,
    places: Places | None = None,
    **options: Any,
) -> AsyncIterator[Run]:
    """Run a source; on leaving, end it and raise what it died of."""
    run = Run()
    if isinstance(source, str):
        source = load_source(source, places)
    spec = SourceSpec(source.type, source.type, args or {})
    options.setdefault("report", run.reports.append)
    run.task = asyncio.create_task(run_source(spec, source, run.queue, **options))
    try:
        yield run
    finally:
        run.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run.task


async def refused(name: str, args: Mapping[str, Any] | None = None) -> str:
    """The message with which a source refuses to start."""
    with pytest.raises(SourceError) as caught:
        async with running(name, args) as run:
            await run.end()
    return str(caught.value)


async def until(fact: Callable[[], T | None], within: float = 20.0) -> T:
    """Poll until `fact` gives something true, and return that."""
    deadline = time.monotonic() + within
    while True:
        if found := fact():
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within} s")
        await asyncio.sleep(0.01)


def need_module(name: str) -> Any:
    """The module of an extra; without it the test fails in CI (env CI) and skips elsewhere."""
    try:
        return importlib.import_module(name)
    except ImportError:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")


def source_of(main: SourceMain, name: str = "mine") -> Source:
    """A source whose main is a function of the test, so that it can share the test's clock."""
    return Source(name, main, "a test", lambda args: None)


def plugin(folder: Path, name: str, text: str) -> Path:
    """Write a plugin file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(text)
    return path
