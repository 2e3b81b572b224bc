"""The courier of one target: delivers what waits for it, in order, until told to finish."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from selfheal.clock import Clock
from selfheal.errors import StoreError
from selfheal.model import Delivery, DeliveryState, Kind
from selfheal.notification.sending import Send, Undeliverable
from selfheal.ports import Record

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 600.0
GIVE_UP_AFTER = 86_400.0  # seconds of trying, counted by the monotonic clock

log = logging.getLogger(__name__)


class Courier:
    """Delivers to one target: oldest first, each until it is delivered or given up.

    What can't be delivered is tried again after 1 s, 2 s, 4 s … 10 minutes, and what comes after
    it waits: a target hears things in the order in which they happened. The record says what was
    delivered; only a crash between the delivery and that note delivers something twice.
    """

    def __init__(self, target: str, send: Send, record: Record, clock: Clock) -> None:
        self._target = target
        self._send = send
        self._record = record
        self._clock = clock
        self._news = asyncio.Event()
        self._finishing = asyncio.Event()

    def wake(self) -> None:
        """Tell it that something may wait."""
        self._news.set()

    def finish(self) -> None:
        """Let it try once more what waits, up to the first failure, and then end."""
        self._finishing.set()
        self._news.set()

    async def run(self) -> None:
        """Deliver until told to finish."""
        failures = 0
        while True:
            self._news.clear()
            try:
                went_well = await self._next()
            except StoreError as error:
                # The record can't say what waits, or that it was delivered: not now, then.
                log.error("%s waits for the record: %s", self._target, error)
                went_well = False
            if went_well:
                failures = 0
            elif self._finishing.is_set():
                return
            else:
                await self._pause(min(LONGEST_PAUSE, FIRST_PAUSE * 2**failures))
                failures = min(failures + 1, 20)

    async def _next(self) -> bool:
        """Deliver the oldest, or wait for one; False when it failed, or there is no more."""
        delivery = self._record.next_delivery(self._target)
        if delivery is None:
            if self._finishing.is_set():
                return False
            await self._news.wait()
            return True
        try:
            await self._send(delivery.notification)
        except Undeliverable as error:
            refusal = str(error)
            await self._note(lambda: self._give_up(delivery, refusal))
        except Exception as error:  # whatever it raises, it is not delivered
            self._failed(delivery, str(error) or type(error).__name__)
            return False
        else:
            await self._note(lambda: self._delivered(delivery))
        return True

    async def _note(self, write: Callable[[], None]) -> None:
        """Write what became of a delivery, for as long as it takes: else it is sent again."""
        while True:
            try:
                return write()
            except StoreError as error:
                log.error("what became of a message to %s: %s", self._target, error)
                if self._finishing.is_set():
                    raise
                await self._pause(FIRST_PAUSE)

    async def _pause(self, seconds: float) -> None:
        began = self._clock.monotonic()
        sleep = asyncio.ensure_future(self._clock.sleep(seconds))
        finish = asyncio.ensure_future(self._finishing.wait())
        try:
            await asyncio.wait([sleep, finish], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            finish.cancel()
        with contextlib.suppress(StoreError):  # it is tried for a little longer, that is all
            self._record.add_waiting_time(self._target, self._clock.monotonic() - began)

    def _failed(self, delivery: Delivery, why: str) -> None:
        if delivery.waited >= GIVE_UP_AFTER:
            return self._give_up(delivery, why)
        with self._record.transaction():
            self._record.delivery_failed(delivery, why)
            if delivery.tries == 0:
                self._tell(delivery, f"could not tell {self._target} yet: {why}", why)
        return None

    def _give_up(self, delivery: Delivery, why: str) -> None:
        with self._record.transaction():
            self._end(delivery, DeliveryState.GIVEN_UP, why)
            text = f"gave up telling {self._target} {delivery.notification.subject!r}: {why}"
            self._tell(delivery, text, why)
        log.error(text)

    def _delivered(self, delivery: Delivery) -> None:
        with self._record.transaction():
            self._end(delivery, DeliveryState.DELIVERED)
            after = f" after {delivery.tries} failed tries" if delivery.tries else ""
            self._tell(delivery, f"told {self._target}{after}")

    def _end(self, delivery: Delivery, state: DeliveryState, why: str = "") -> None:
        self._record.end_delivery(delivery, state, self._clock.now(), why)

    def _tell(self, delivery: Delivery, text: str, error: str = "") -> None:
        told = delivery.notification
        self._record.tell(
            Kind.NOTIFICATION,
            text,
            incident_id=told.incident_id,
            healing_id=told.healing_id,
            data={"notification_id": told.id, "target": self._target, "error": error},
        )
