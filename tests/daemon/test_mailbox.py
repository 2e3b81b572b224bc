"""Messages that other processes leave for the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest import mock

import pytest

from selfheal.clock import ManualClock
from selfheal.daemon.mailbox import Handler, watch_inbox
from selfheal.errors import StoreError
from selfheal.ports import JSON, Record
from selfheal.store import open_record


@asynccontextmanager
async def watched(
    record: Record, clock: ManualClock, **handlers: Handler
) -> AsyncIterator[list[str]]:
    """Watch it; yields what humans are told."""
    told: list[str] = []

    def failed(kind: str, why: str) -> None:
        told.append(f"{kind}: {why}")

    task = asyncio.create_task(watch_inbox(record, handlers, clock, failed))
    try:
        await clock.advance(0.0)
        yield told
        assert not task.done(), f"the inbox is watched no longer: {task}"
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_message_the_record_refuses_is_done_later() -> None:
    """Its effect failed for want of the record: it is not marked done, and comes first again."""
    clock, seen, refusals = ManualClock(), list[object](), 3
    record = open_record(":memory:", clock)

    async def emitted(payload: JSON) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise StoreError("the disk is full")
        seen.append(payload["n"])

    for number in range(2):
        record.post("emit", {"n": number}, 0.0)
    async with watched(record, clock, emit=emitted):
        assert len(record.take()) == 2
        await clock.advance(30.0)
        assert (seen, record.take()) == ([0, 1], [])


async def test_a_record_that_fails_does_not_end_the_watch() -> None:
    """A message that can't be marked done is done again; one that can't be read is read later."""
    clock, seen = ManualClock(), list[object]()
    record = open_record(":memory:", clock)

    async def told(payload: JSON) -> None:
        seen.append(payload["n"])

    record.post("rails_changed", {"n": 1}, 0.0)
    refused = StoreError("the disk is full")
    with mock.patch.object(record, "done", side_effect=refused):
        async with watched(record, clock, rails_changed=told):
            assert seen == [1]
            with mock.patch.object(record, "take", side_effect=refused):
                await clock.advance(60.0)
    async with watched(record, clock, rails_changed=told):
        assert (seen[-1], record.take()) == (1, [])


async def test_events_without_room_hold_up_no_other_message() -> None:
    """An approval is heard while a full ruleset lets no event in; the events keep their order."""
    clock, seen, room = ManualClock(), list[object](), asyncio.Event()
    record = open_record(":memory:", clock)

    async def emitted(payload: JSON) -> None:
        await room.wait()
        seen.append(payload["n"])

    async def answered(payload: JSON) -> None:
        seen.append("approval")

    for number in range(2):
        record.post("emit", {"n": number}, 0.0)
    record.post("approval_answered", {}, 0.0)
    async with watched(record, clock, emit=emitted, approval_answered=answered):
        await clock.advance(1.0)
        assert seen == ["approval"]
        room.set()
        await clock.advance(1.0)
        assert seen == ["approval", 0, 1]


@pytest.mark.parametrize("error", [StoreError("too big to be stored"), TypeError("a bug")])
async def test_a_message_that_fails_for_ever_does_not_hold_back_those_behind_it(
    error: Exception,
) -> None:
    """Within a minute it is noted as failed and a human is told, once; the next are done."""
    clock, seen = ManualClock(), list[object]()
    record = open_record(":memory:", clock)

    async def emitted(payload: JSON) -> None:
        if payload["n"] == 0:
            raise error
        seen.append(payload["n"])

    for number in range(3):
        record.post("emit", {"n": number}, 0.0)
    async with watched(record, clock, emit=emitted) as told:
        await clock.advance(60.0)
        assert (seen, record.take()) == ([1, 2], [])
        assert [str(error) in one for one in told] == [True]
    [row] = record.db.conn.execute("SELECT note FROM inbox WHERE id = 1")
    assert row[0].startswith("failed: ")
    record.close()


async def test_no_message_is_given_up_while_the_record_takes_no_writes() -> None:
    """A disk that is full for an hour costs no event, and calls nobody: it is tried until there
    is room."""
    clock, seen, full = ManualClock(), list[object](), StoreError("the disk is full")
    record = open_record(":memory:", clock)
    room = False

    async def emitted(payload: JSON) -> None:
        if not room:
            raise full
        seen.append(payload["n"])

    for number in range(2):
        record.post("emit", {"n": number}, 0.0)
    async with watched(record, clock, emit=emitted) as told:
        with mock.patch.object(record, "tell", side_effect=full):
            await clock.advance(3600.0)
        room = True
        await clock.advance(30.0)
        assert (seen, told) == ([0, 1], [])
    record.close()
