"""One fault on a project of the crash benchmark, and what came of it."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.crash_kinds.effects import Run, read_effects
from benchmarks.crash_kinds.engine import Life, rows
from benchmarks.crash_kinds.receiver import Receiver
from benchmarks.crash_kinds.site import TOKEN, Site, write_site

from tests.servers import await_fact, free_port


@contextmanager
def crash_site(folder: Path, *hosts: str) -> Iterator[Site]:
    """A project of the crash benchmark, and the world around it."""
    port = free_port()
    site = write_site(folder, hosts, receiver=port, real=False, join_engine="python")
    with Receiver(port, folder / "world"):
        yield site


@contextmanager
def living(site: Site, *options: str, env: dict[str, str] | None = None) -> Iterator[Life]:
    """An engine that is ready; gone with the block."""
    life = Life(site, *options, env=env)
    try:
        life.await_ready()
        yield life
    finally:
        life.close()


def fault(site: Site, target: str, *, milliseconds: int, component: str = "web") -> None:
    """Report a fault that the first rung mends, in two steps of so many milliseconds each."""
    body = {
        "kind": "hook",
        "target": target,
        "component": component,
        "family": "plain",
        "r1": "ok",
        "r2": "ok",
        "ms": str(milliseconds),
        "starts_at": "2026-01-01T00:00:00Z",
    }
    post(site, body)


def post(site: Site, body: dict[str, Any]) -> None:
    """Hand an event to the webhook; it is acknowledged when this returns."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{site.hooks}/e",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
        assert answer.status == 200


def running(site: Site, step: str) -> bool:
    """Whether that step has begun to do something, and has not ended."""
    return any(run.step == step and run.ended is None for run in read_effects(site.folder))


def ends(site: Site, count: int = 1, within: float = 60.0) -> list[str]:
    """Return the outcomes of all healings, once there are so many and none is open."""

    def all_done() -> bool:
        healings = rows(site, "SELECT state FROM healings")
        return len(healings) >= count and all(one["state"] == "done" for one in healings)

    await_fact("every healing has ended", all_done, within)
    return [one["outcome"] for one in rows(site, "SELECT outcome FROM healings ORDER BY rowid")]


def did(site: Site, what: str = "do") -> list[str]:
    """Return the names of the steps that were really run, in order."""
    return [run.step for run in read_effects(site.folder) if run.what == what]


def side_by_side(runs: list[Run]) -> bool:
    """Whether two of the runs overlapped."""
    ended = [(run.began, run.ended or float("inf")) for run in runs]
    return any(later[0] < earlier[1] for earlier, later in itertools.pairwise(ended))
