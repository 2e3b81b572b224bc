"""The queue in front of a ruleset: an event is on disk before its source may acknowledge it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from selfheal.clock import Clock
from selfheal.model import Event, new_id
from selfheal.ports import JSON, Journal


class GroupCommit:
    """Writes the events of all sources in as few transactions as the disk allows.

    While one batch is being committed the next gathers: a storm costs few syncs, a single event
    waits for one.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[tuple[Event, asyncio.Future[None]]] = []

    async def add(self, event: Event) -> None:
        """Return when `event` is on disk; raises StoreError when it can't be."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, written))
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._commit)
        await written

    def _commit(self) -> None:
        batch, self._waiting = self._waiting, []
        try:
            self._journal.add([event for event, _ in batch])
        except Exception as error:  # each waiting source must hear of it
            for _, written in batch:
                if not written.done():
                    written.set_exception(error)
            return
        for _, written in batch:
            if not written.done():
                written.set_result(None)


class JournalQueue:
    """An `EventQueue`: journals, then hands over; waits while the ruleset is behind."""

    def __init__(self, ruleset: str, commit: GroupCommit, clock: Clock, size: int) -> None:
        self._ruleset = ruleset
        self._commit = commit
        self._clock = clock
        self._queue: asyncio.Queue[Event] = asyncio.Queue(size)
        self.wake = asyncio.Event()
        """Set whenever there is something new to do for the ruleset."""

    async def put(self, event: JSON) -> None:
        noun = Event(
            id=new_id("ev"),
            source=_source_name(event),
            received_at=self._clock.now(),
            body=event,
            meta={"ruleset": self._ruleset},
        )
        await self._commit.add(noun)
        await self._queue.put(noun)
        self.wake.set()

    def take(self) -> Event | None:
        """Return the next event, None when there is none."""
        return None if self._queue.empty() else self._queue.get_nowait()

    def __len__(self) -> int:
        """Return how many events wait."""
        return self._queue.qsize()

    @property
    def empty(self) -> bool:
        """True when nothing waits."""
        return self._queue.empty()


def _source_name(event: JSON) -> str:
    meta: Any = event.get("meta")
    source = meta.get("source") if isinstance(meta, Mapping) else None
    name = source.get("name") if isinstance(source, Mapping) else None
    return str(name or "unknown")
