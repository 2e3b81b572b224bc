"""The engine's side of the inbox: messages that other processes left on the record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from selfheal.clock import Clock
from selfheal.errors import SelfhealError, StoreError
from selfheal.model import Kind
from selfheal.ports import JSON, Record

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
LONGEST_SECONDS = 10.0
"""Between two tries while the record fails; each wait is twice the one before."""
MOST_IN_VAIN = 10
"""So often a message is tried that the record refuses while it takes something else."""
EVENTS = "emit"
"""The kind that may have to wait for room in a ruleset, which must hold up no other."""

Handler = Callable[[JSON], Awaitable[None]]
"""Does what one message asks for; raises SelfhealError when it can't."""
Failed = Callable[[str, str], None]
"""Tells a human of a message that is given up: its kind, why."""


async def watch_inbox(
    record: Record, handlers: Mapping[str, Handler], clock: Clock, failed: Failed
) -> None:
    """Do what messages ask for until cancelled: events oldest first, and beside them the others.

    A message is marked done after its effect: one that a crash interrupts, or that the record
    refuses, is done again, and what it does must bear that (an event has an id of its own, a stop
    is asked for twice). One that the record goes on refusing while it takes other writes, or that
    its handler breaks on, holds back those behind it no longer: it is noted as failed, and a human
    is told.
    """
    async with asyncio.TaskGroup() as lanes:
        lanes.create_task(_Lane(record, handlers, clock, failed, only=EVENTS).run())
        lanes.create_task(_Lane(record, handlers, clock, failed, but=EVENTS).run())


class _GivenUp(Exception):
    """The message can't be done, and is not tried again."""


class _Lane:
    """Messages that are done one after the other."""

    def __init__(
        self,
        record: Record,
        handlers: Mapping[str, Handler],
        clock: Clock,
        failed: Failed,
        *,
        only: str = "",
        but: str = "",
    ) -> None:
        self._record = record
        self._handlers = handlers
        self._clock = clock
        self._failed = failed
        self._only, self._but = only, but
        self._in_vain = 0

    async def run(self) -> None:
        wait = POLL_SECONDS
        while True:
            try:
                for number, kind, payload in self._record.take(only=self._only, but=self._but):
                    await self._see_to(number, kind, payload)
                wait = POLL_SECONDS
            except StoreError as error:
                log.error("the inbox waits for the record: %s", error)
                wait = min(wait * 2, LONGEST_SECONDS)
            await self._clock.sleep(wait)

    async def _see_to(self, number: int, kind: str, payload: JSON) -> None:
        try:
            note = await self._handle(kind, payload)
        except _GivenUp as given_up:
            note = f"failed: {given_up}"
            with self._record.transaction():
                self._failed(kind, str(given_up))
                self._record.done(number, note)
        else:
            self._record.done(number, note)
        self._in_vain = 0

    async def _handle(self, kind: str, payload: JSON) -> str:
        """Return what is noted; raises StoreError when it is to be tried again."""
        handler = self._handlers.get(kind)
        if handler is None:
            return f"unknown kind {kind!r}"
        try:
            await handler(payload)
        except StoreError as error:
            self._in_vain = self._in_vain + 1 if self._takes_writes(kind) else 0
            if self._in_vain < MOST_IN_VAIN:
                raise
            raise _GivenUp(f"tried {MOST_IN_VAIN} times: {error}") from error
        except SelfhealError as error:
            log.warning("message %s from outside: %s", kind, error)
            return str(error)
        except Exception as error:
            # An engine that ended of it would be ended by it again at each start.
            log.exception("message %s from outside", kind)
            raise _GivenUp(f"{type(error).__name__}: {error}") from error
        return "done"

    def _takes_writes(self, kind: str) -> bool:
        try:
            self._record.tell(Kind.ENGINE, f"a message ({kind}) was refused, and is tried again")
        except StoreError:
            return False
        return True
