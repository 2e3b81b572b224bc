"""What a healing waits for, on record: written when it changes, not each time it is asked."""

from __future__ import annotations

import asyncio
from typing import Any

from selfheal.model import Healing, Refusal, Waiting
from selfheal.ports import Record
from selfheal.recovery.story import Story


def note_waiting(
    record: Record,
    healing: Healing,
    reason: Refusal,
    detail: str,
    *,
    now: float,
    until: float | None = None,
) -> None:
    """Record why the healing waits. The timeline is told only when it is for another reason."""
    known = healing.waiting
    if known and (known.reason, known.detail, known.until) == (reason, detail, until):
        return
    another = known is None or known.reason is not reason
    since = now if known is None or another else known.since
    with record.transaction(durable=False):
        record.set_waiting(healing.id, Waiting(reason, detail, since, until))
        if another:
            Story(record, healing).waiting(reason, detail)


async def settled(
    work: asyncio.Future[Any], *events: asyncio.Event, timeout: float | None = None
) -> bool:
    """Wait for the work, or for the first of the events; tell whether the work is done.

    The work goes on: whoever began it cancels it. `timeout` is in seconds of real time."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait({work, *waits}, return_when=asyncio.FIRST_COMPLETED, timeout=timeout)
    finally:
        for wait in waits:
            wait.cancel()
    return work.done()


async def cancelled(*tasks: asyncio.Future[Any] | None) -> None:
    """Cancel the tasks and wait for their end."""
    running = [task for task in tasks if task and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
