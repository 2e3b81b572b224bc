"""The courier of one target: delivers what waits for it, in order, until told to finish."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from selfheal.clock import Clock
from selfheal.config import Bundle
from selfheal.errors import StoreError
from selfheal.model import Delivery, DeliveryState, Kind, Notification, new_id
from selfheal.notification.bundle import Parcel, bundle, single
from selfheal.notification.flood import Flood
from selfheal.notification.sending import Send, Undeliverable
from selfheal.ports import Record

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 600.0
GIVE_UP_AFTER = 86_400.0  # seconds of trying, counted by the monotonic clock

log = logging.getLogger(__name__)


class Courier:
    """Delivers to one target: questions, then oldest first, until delivered or given up.

    In a flood what comes is held, and goes out in one bundle when the target may hear more; a
    bundle's content is on record before it goes out. At the end of the engine nothing is held.

    What can't be delivered is tried again after 1 s, 2 s, 4 s … 10 minutes, and what comes after
    it waits: a target hears things in the order in which they happened. The record says what was
    delivered; only a crash between the delivery and that note delivers something twice.
    """

    def __init__(
        self, target: str, send: Send, record: Record, clock: Clock, limit: Bundle | None = None
    ) -> None:
        self._target = target
        self._send = send
        self._record = record
        self._clock = clock
        self._flood = Flood(limit, target, record, clock)
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
        """Deliver what is next, or wait for it; False when it failed, or there is no more."""
        delivery = self._record.next_delivery(self._target)
        if delivery is None:
            if self._finishing.is_set():
                return False
            await self._news.wait()
            return True
        if delivery.asks:
            return await self._deliver(single(delivery))
        wait = 0.0 if delivery.bundle else self._flood.wait()
        if wait and not self._finishing.is_set():
            self._record.hold(self._target)
            await self._first(self._clock.sleep(wait), self._news.wait())
            return True
        held = bool(wait) or delivery.state is DeliveryState.HELD
        return await self._deliver(self._bundle_of(delivery) if held else single(delivery))

    def _bundle_of(self, delivery: Delivery) -> Parcel:
        """Everything that is held; one alone is no bundle."""
        name = delivery.bundle
        if not name:
            name = new_id("no")
            self._record.bundle_up(self._target, name)
        members = self._record.bundled(name)
        return bundle(name, members) if len(members) > 1 else single(delivery)

    async def _deliver(self, parcel: Parcel) -> bool:
        try:
            await self._send(parcel.message)
        except Undeliverable as error:
            refusal = str(error)
            await self._note(lambda: self._give_up(parcel, refusal))
        except Exception as error:  # whatever it raises, it is not delivered
            self._failed(parcel, str(error) or type(error).__name__)
            return False
        else:
            await self._note(lambda: self._delivered(parcel))
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
        await self._first(self._clock.sleep(seconds), self._finishing.wait())
        with contextlib.suppress(StoreError):  # it is tried for a little longer, that is all
            self._record.add_waiting_time(self._target, self._clock.monotonic() - began)

    @staticmethod
    async def _first(*waits: Coroutine[Any, Any, object]) -> None:
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _failed(self, parcel: Parcel, why: str) -> None:
        if min(one.waited for one in parcel.deliveries) >= GIVE_UP_AFTER:
            return self._give_up(parcel, why)
        first = not any(one.tries for one in parcel.deliveries)
        with self._record.transaction():
            for delivery in parcel.deliveries:
                self._record.delivery_failed(delivery, why)
            if first:
                self._tell(parcel.message, f"could not tell {self._target} yet: {why}", why)
        return None

    def _give_up(self, parcel: Parcel, why: str) -> None:
        with self._record.transaction():
            for delivery in parcel.deliveries:
                self._end(delivery, DeliveryState.GIVEN_UP, why)
                told = delivery.notification
                self._tell(told, f"gave up telling {self._target} {told.subject!r}: {why}", why)
        log.error("gave up telling %s %r: %s", self._target, parcel.message.subject, why)

    def _delivered(self, parcel: Parcel) -> None:
        many = len(parcel.deliveries)
        with self._record.transaction():
            for delivery in parcel.deliveries:
                self._end(delivery, DeliveryState.DELIVERED)
                after = f" after {delivery.tries} failed tries" if delivery.tries else ""
                among = f" in a bundle of {many}" if many > 1 else ""
                self._tell(delivery.notification, f"told {self._target}{among}{after}")

    def _end(self, delivery: Delivery, state: DeliveryState, why: str = "") -> None:
        self._record.end_delivery(delivery, state, self._clock.now(), why)

    def _tell(self, told: Notification, text: str, error: str = "") -> None:
        self._record.tell(
            Kind.NOTIFICATION,
            text,
            incident_id=told.incident_id,
            healing_id=told.healing_id,
            data={"notification_id": told.id, "target": self._target, "error": error},
        )
