"""Messages that other processes leave for the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest import mock

from selfheal.clock import ManualClock
from selfheal.daemon.mailbox import Handler, watch_inbox
from selfheal.errors import StoreError
from selfheal.ports import JSON, Record
from selfheal.store import open_record


@asynccontextmanager
async def watched(record: Record, clock: ManualClock, **handlers: Handler) -> AsyncIterator[None]:
    task = asyncio.create_task(watch_inbox(record, handlers, clock))
    try:
        await clock.advance(0.0)
        yield
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
