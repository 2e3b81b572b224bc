"""The journal in front of a ruleset: on disk before a source may acknowledge."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import pytest

from selfheal.clock import SystemClock
from selfheal.daemon import journal_queue
from selfheal.daemon.journal_queue import GroupCommit, JournalQueue
from selfheal.daemon.ruleset_clock import RulesetClock
from selfheal.errors import ActionError, StoreError
from selfheal.model import Event, InputKind
from selfheal.store import SqliteRecord, open_record
from selfheal.store.events import Events


class Counted:
    """A journal that counts its transactions, and fails when told to."""

    def __init__(self) -> None:
        self.record = open_record(":memory:")
        self.batches: list[int] = []
        self.broken = False

    def add(self, events: Sequence[Event]) -> None:
        if self.broken:
            raise StoreError("the disk is full; nothing was written")
        self.batches.append(len(events))
        Events.add(self.record, events)


def queue_on(record: SqliteRecord, size: int = 100) -> JournalQueue:
    clock = RulesetClock(SystemClock())
    return JournalQueue("shop", record, GroupCommit(record), clock, size)


@contextlib.contextmanager
def counted_queue(size: int = 100):  # type: ignore[no-untyped-def]  # a pair for the tests below
    journal = Counted()
    with mock.patch.object(journal.record, "add", journal.add):
        yield queue_on(journal.record, size), journal
    journal.record.close()


def taken(queue: JournalQueue) -> list[object]:
    return [event.body["i"] for event in iter(queue.take, None)]


async def test_an_event_is_on_disk_when_put_returns(tmp_path: Path) -> None:
    """Another connection to the file reads the event as soon as `put` has returned."""
    record, other = open_record(tmp_path / "record.db"), open_record(tmp_path / "record.db")
    queue = queue_on(record)
    await queue.put({"i": 1, "meta": {"source": {"name": "mine"}}})
    event = queue.take()
    assert event is not None
    kept = other.event(event.id)
    record.close()
    other.close()
    assert (kept.body["i"], kept.source, kept.ruleset) == (1, "mine", "shop")


async def test_a_storm_costs_few_transactions() -> None:
    """Events put side by side share one commit, and keep their order."""
    with counted_queue() as (queue, journal):
        await asyncio.gather(*(queue.put({"i": i}) for i in range(50)))
        assert journal.batches == [50]
        assert taken(queue) == list(range(50))


async def test_a_journal_that_fails_acknowledges_nothing() -> None:
    """Every waiting source hears of the failure, nothing is handed on, and the next put works."""
    with counted_queue(size=3) as (queue, journal):
        journal.broken = True
        puts = (queue.put({"i": i}) for i in range(3))
        results = await asyncio.gather(*puts, return_exceptions=True)
        assert [str(one) for one in results] == ["the disk is full; nothing was written"] * 3
        assert queue.empty
        journal.broken = False
        for i in range(3):
            await asyncio.wait_for(queue.put({"i": i}), 5)
        assert taken(queue) == [0, 1, 2]


async def test_a_full_queue_makes_its_source_wait() -> None:
    """A source that is faster than its ruleset waits, and nothing of it is in the journal yet."""
    with counted_queue(size=1) as (queue, journal):
        await queue.put({"i": 0})
        second = asyncio.create_task(queue.put({"i": 1}))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(second), 0.05)
        assert journal.batches == [1]
        assert taken(queue) == [0]
        await asyncio.wait_for(second, 5)
        assert taken(queue) == [1]


async def test_many_bytes_wait_like_many_events() -> None:
    """Large events fill the queue though their number is small; one alone always fits."""
    with mock.patch.object(journal_queue, "MOST_BYTES", 1000), counted_queue() as (queue, _):
        await asyncio.wait_for(queue.put({"i": 0, "large": "x" * 5000}), 5)
        second = asyncio.create_task(queue.put({"i": 1}))
        await asyncio.sleep(0.02)
        assert not second.done()
        assert taken(queue) == [0]
        await asyncio.wait_for(second, 5)


async def test_a_source_that_no_longer_waits_leaves_its_place() -> None:
    """A put that is cancelled in the line holds up nobody behind it."""
    with counted_queue(size=1) as (queue, _):
        await queue.put({"i": 0})
        gone, next_one = (asyncio.create_task(queue.put({"i": i})) for i in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        assert taken(queue) == [0]
        await asyncio.wait_for(next_one, 5)
        assert taken(queue) == [2]


async def test_what_is_written_is_matched_though_its_source_has_gone() -> None:
    """Cancelled between the write and its answer: the event is in the queue all the same."""
    with counted_queue() as (queue, _):
        put = asyncio.create_task(queue.put({"i": 0}))
        await asyncio.sleep(0)
        put.cancel()
        await asyncio.wait([put])
        await asyncio.sleep(0)
        assert taken(queue) == [0]


async def test_posted_events_take_turns_with_those_from_outside() -> None:
    """A rule that posts what it matches does not keep the sources from being heard."""
    with counted_queue() as (queue, _):
        for i in range(3):
            await queue.put({"i": f"out {i}"})
            await queue.post({"i": f"post {i}"}, f"fi-1:{i}")
        pairs = ["out 0", "post 0", "out 1", "post 1", "out 2", "post 2"]
        assert taken(queue) == pairs


async def test_an_action_that_is_repeated_posts_once() -> None:
    """The same origin is taken in once, also when it has been matched meanwhile."""
    with counted_queue() as (queue, journal):
        for _ in range(2):
            await queue.post({"i": 0}, "fi-1:0:")
        assert taken(queue) == [0]
        await queue.post({"i": 0}, "fi-1:0:")
        assert queue.empty
        assert journal.record.journal_counts().accepted == 1


async def test_too_many_posted_events_are_refused_with_a_reason() -> None:
    """Nothing grows without bound: the action that posts is told why it failed."""
    with mock.patch.object(journal_queue, "MOST_POSTED", 2), counted_queue() as (queue, _):
        for i in range(2):
            await queue.post({"i": i}, "")
        with pytest.raises(ActionError, match="2 posted events wait for ruleset 'shop' already"):
            await queue.post({"i": 2}, "")


async def test_a_queue_that_has_ended_passes_on() -> None:
    """Who waited for room, and who comes later, is heard by the heir; nothing is taken twice."""
    with counted_queue(size=1) as (queue, journal):
        heir = queue_on(journal.record)
        await queue.put({"i": 0})
        waiting = asyncio.create_task(queue.put({"i": 1}))
        await asyncio.sleep(0)
        queue.end()
        heir.load(journal.record.unmatched("shop"))
        queue.hand_to(heir)
        await asyncio.wait_for(waiting, 5)
        await queue.put({"i": 2})
        await queue.post({"i": 3}, "")
        assert queue.empty
        assert sorted(map(str, taken(heir))) == ["0", "1", "2", "3"]
        assert [one.kind for one in journal.record.unmatched("shop")][-1] is InputKind.POSTED


async def test_a_queue_that_has_ended_keeps_no_later_one_alive() -> None:
    """However many reloads there were: whoever still holds the first queue reaches the newest, and
    those between are gone."""
    with counted_queue() as (first, journal):
        queue, between = first, list[weakref.ref[JournalQueue]]()
        for _ in range(3):
            queue.end()
            heir = queue_on(journal.record)
            queue.hand_to(heir)
            between.append(weakref.ref(heir))
            queue = heir
        del heir
        gc.collect()
        assert [one() for one in between] == [None, None, queue]
        await first.put({"i": 0})
        assert taken(queue) == [0]
