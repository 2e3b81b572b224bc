"""The engine's side of the inbox: messages that other processes left on the record."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from selfheal.clock import Clock
from selfheal.errors import SelfhealError
from selfheal.ports import JSON, Inbox

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1

Handler = Callable[[JSON], Awaitable[None]]
"""Does what one message asks for; raises SelfhealError when it can't."""


async def watch_inbox(inbox: Inbox, handlers: Mapping[str, Handler], clock: Clock) -> None:
    """Do what messages ask for, oldest first, until cancelled.

    A message is marked done after its effect: one that a crash interrupts is done again, and
    what it does must bear that (an event has an id of its own, a stop is asked for twice).
    """
    while True:
        for number, kind, payload in inbox.take():
            inbox.done(number, await _handle(handlers, kind, payload))
        await clock.sleep(POLL_SECONDS)


async def _handle(handlers: Mapping[str, Handler], kind: str, payload: JSON) -> str:
    handler = handlers.get(kind)
    if handler is None:
        return f"unknown kind {kind!r}"
    try:
        await handler(payload)
    except SelfhealError as error:
        log.warning("message %s from outside: %s", kind, error)
        return str(error)
    return "done"
