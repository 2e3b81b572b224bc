"""Messages while the record can't be written: that alone may be the news."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping

from selfheal.clock import Clock
from selfheal.config import Bundle
from selfheal.errors import StoreError
from selfheal.model import Delivery, Notification, new_id
from selfheal.notification.bundle import bundle
from selfheal.notification.sending import Send

log = logging.getLogger(__name__)


class OffRecord:
    """Tells every target from memory, one try each.

    In a flood what comes is held, but for questions, as it would be on record; when the window
    ends it is put on record if that can be written again, else goes out as one bundle. What is
    held is lost with the process: until then it is in the log.
    """

    def __init__(
        self,
        targets: Mapping[str, Send],
        clock: Clock,
        limit: Bundle | None,
        put_on_record: Callable[[Notification], None],
    ) -> None:
        """`put_on_record` raises StoreError while it can't."""
        self._targets = targets
        self._clock = clock
        self._limit = limit
        self._put_on_record = put_on_record
        self._told_at: deque[float] = deque(maxlen=limit.after if limit else 0)
        self._held: list[Notification] = []
        self._alarm: asyncio.Task[None] | None = None
        self._tries: set[asyncio.Task[None]] = set()

    def send(self, told: Notification) -> None:
        """Tell it now, or at the end of the window."""
        wait = self._wait()
        if told.asks or not wait:
            self._spread(told, 0 if told.asks else 1)
            return
        self._held.append(told)
        if self._alarm is None:
            self._alarm = asyncio.create_task(self._flush_in(wait))

    def flush(self) -> None:
        """Hand on what is held, now."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        held, self._held = self._held, []
        while held:
            try:
                self._put_on_record(held[0])
            except StoreError as error:
                log.error("%d messages held in memory are not on record: %s", len(held), error)
                self._spread(_one_of(held), len(held))
                return
            held.pop(0)

    async def drain(self) -> None:
        """Return when what goes out has been tried."""
        await asyncio.gather(*self._tries)

    def _wait(self) -> float:
        """Seconds until the targets may hear more, 0 when they may now."""
        if self._limit is None or len(self._told_at) < self._limit.after:
            return 0.0
        return max(0.0, self._told_at[0] + self._limit.within - self._clock.monotonic())

    async def _flush_in(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._alarm = None
        self.flush()

    def _spread(self, told: Notification, number: int) -> None:
        most = self._limit.after if self._limit else 0
        self._told_at.extend([self._clock.monotonic()] * min(number, most))
        for name, send in self._targets.items():
            task = asyncio.create_task(_try(name, send, told))
            self._tries.add(task)
            task.add_done_callback(self._tries.discard)


def _one_of(held: list[Notification]) -> Notification:
    """One message of all of them; one alone is no bundle."""
    if len(held) == 1:
        return held[0]
    return bundle(new_id("no"), [Delivery(one, "") for one in held]).message


async def _try(name: str, send: Send, told: Notification) -> None:
    try:
        await send(told)
    except Exception as error:  # it can only be logged: the record is what fails
        log.error("could not tell %s: %s", name, error)
