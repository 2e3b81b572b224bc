"""The journal in front of a ruleset: on disk before a source may acknowledge."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from selfheal.clock import SystemClock
from selfheal.daemon.journal_queue import GroupCommit, JournalQueue
from selfheal.errors import StoreError
from selfheal.model import Event
from selfheal.store import open_record


class Counted:
    """A journal that counts its transactions, and fails when told to."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.broken = False

    def add(self, events: Sequence[Event]) -> None:
        if self.broken:
            raise StoreError("the disk is full; nothing was written")
        self.batches.append(len(events))

    def event(self, event_id: str) -> Event:
        raise NotImplementedError


def queue_of(journal: Counted, size: int = 100) -> JournalQueue:
    return JournalQueue("shop", GroupCommit(journal), SystemClock(), size)


async def test_an_event_is_on_disk_when_put_returns(tmp_path: Path) -> None:
    """Another connection to the file reads the event as soon as `put` has returned."""
    record, other = open_record(tmp_path / "record.db"), open_record(tmp_path / "record.db")
    queue = JournalQueue("shop", GroupCommit(record), SystemClock(), 10)
    await queue.put({"i": 1, "meta": {"source": {"name": "mine"}}})
    event = queue.take()
    assert event is not None
    kept = other.event(event.id)
    record.close()
    other.close()
    assert (kept.body["i"], kept.source) == (1, "mine")
    assert kept.meta == {"ruleset": "shop"}


async def test_a_storm_costs_few_transactions() -> None:
    """Events put side by side share one commit, and keep their order."""
    journal = Counted()
    queue = queue_of(journal)
    await asyncio.gather(*(queue.put({"i": i}) for i in range(50)))
    assert journal.batches == [50]
    assert [event.body["i"] for event in iter(queue.take, None)] == list(range(50))


async def test_a_journal_that_fails_acknowledges_nothing() -> None:
    """Every waiting source hears of the failure, nothing is handed on, and the next put works."""
    journal = Counted()
    queue = queue_of(journal)
    journal.broken = True
    results = await asyncio.gather(*(queue.put({"i": i}) for i in range(3)), return_exceptions=True)
    assert [str(one) for one in results] == ["the disk is full; nothing was written"] * 3
    assert queue.empty
    journal.broken = False
    await queue.put({"i": 3})
    assert not queue.empty


async def test_a_full_queue_makes_its_source_wait() -> None:
    """A source that is faster than its ruleset waits; nothing is dropped."""
    queue = queue_of(Counted(), size=1)
    await queue.put({"i": 0})
    second = asyncio.create_task(queue.put({"i": 1}))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(second), 0.05)
    assert queue.take() is not None
    await asyncio.wait_for(second, 5)
    event = queue.take()
    assert event is not None
    assert event.body["i"] == 1
