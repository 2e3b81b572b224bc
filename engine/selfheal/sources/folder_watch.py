"""Changes below folders, from watchdog's threads into the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

_LOG = logging.getLogger(__name__)
_ROOM = 10_000
_TOLD = ("created", "deleted", "modified", "moved")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a file or folder."""

    kind: str
    """`created`, `deleted`, `modified` or `moved`."""
    type: str
    """watchdog's class, such as `FileModifiedEvent`: what ansible.eda calls the type."""
    path: str
    """What changed; for `moved` its old path."""
    new_path: str
    """For `moved`, else empty."""


@contextlib.asynccontextmanager
async def changes(
    folders: Iterable[Path], *, recursive: bool = False
) -> AsyncIterator[asyncio.Queue[Change]]:
    """Give a queue that fills with the changes below `folders`, which must exist.

    When nobody takes them, 10,000 are kept; what comes then is dropped, and the log says so.
    """
    queue: asyncio.Queue[Change] = asyncio.Queue(_ROOM)
    observer = Observer()
    handler = _Handler(asyncio.get_running_loop(), queue)
    for folder in folders:
        observer.schedule(handler, str(folder), recursive=recursive)
    observer.start()
    try:
        yield queue
    finally:
        observer.stop()
        await asyncio.to_thread(observer.join)


class _Handler(FileSystemEventHandler):
    def __init__(self, loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[Change]) -> None:
        self._loop = loop
        self._queue = queue
        self._dropped = 0

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in _TOLD:
            return
        moved = event.event_type == "moved"
        change = Change(
            kind=event.event_type,
            type=type(event).__name__,
            path=os.fsdecode(event.src_path),
            new_path=os.fsdecode(event.dest_path) if moved else "",
        )
        # The loop is closed when the program ends while a change is on its way.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._keep, change)

    def _keep(self, change: Change) -> None:
        try:
            self._queue.put_nowait(change)
        except asyncio.QueueFull:
            self._dropped += 1
            if self._dropped == 1 or self._dropped % _ROOM == 0:
                _LOG.warning("file changes come too fast: %d dropped so far", self._dropped)
