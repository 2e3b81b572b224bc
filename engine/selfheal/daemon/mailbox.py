"""The engine's side of the inbox: messages that other processes left on the record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from selfheal.clock import Clock
from selfheal.errors import SelfhealError, StoreError
from selfheal.ports import JSON, Inbox

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
LONGEST_SECONDS = 10.0
"""Between two tries while the record fails; each wait is twice the one before."""
EVENTS = "emit"
"""The kind that may have to wait for room in a ruleset, which must hold up no other."""

Handler = Callable[[JSON], Awaitable[None]]
"""Does what one message asks for; raises SelfhealError when it can't."""


async def watch_inbox(inbox: Inbox, handlers: Mapping[str, Handler], clock: Clock) -> None:
    """Do what messages ask for until cancelled: events oldest first, and beside them the others.

    A message is marked done after its effect: one that a crash interrupts, or that the record
    refuses, is done again, and what it does must bear that (an event has an id of its own, a stop
    is asked for twice).
    """
    async with asyncio.TaskGroup() as lanes:
        lanes.create_task(_watch(inbox, handlers, clock, events=True))
        lanes.create_task(_watch(inbox, handlers, clock, events=False))


async def _watch(
    inbox: Inbox, handlers: Mapping[str, Handler], clock: Clock, *, events: bool
) -> None:
    wait = POLL_SECONDS
    while True:
        try:
            for number, kind, payload in _waiting(inbox, events):
                inbox.done(number, await _handle(handlers, kind, payload))
            wait = POLL_SECONDS
        except StoreError as error:
            log.error("the inbox waits for the record: %s", error)
            wait = min(wait * 2, LONGEST_SECONDS)
        await clock.sleep(wait)


def _waiting(inbox: Inbox, events: bool) -> list[tuple[int, str, JSON]]:
    return inbox.take(only=EVENTS) if events else inbox.take(but=EVENTS)


async def _handle(handlers: Mapping[str, Handler], kind: str, payload: JSON) -> str:
    handler = handlers.get(kind)
    if handler is None:
        return f"unknown kind {kind!r}"
    try:
        await handler(payload)
    except StoreError:
        raise
    except SelfhealError as error:
        log.warning("message %s from outside: %s", kind, error)
        return str(error)
    return "done"
