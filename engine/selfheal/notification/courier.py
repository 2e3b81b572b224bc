"""The courier of one target: delivers what waits for it, in order, until told to finish."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any

from selfheal.clock import Clock
from selfheal.config import Bundle
from selfheal.errors import StoreError
from selfheal.model import Delivery, DeliveryState, Kind, Notification, new_id
from selfheal.notification.aside import FIRST_PAUSE, Aside, pause_after
from selfheal.notification.bundle import Parcel, bundle, single
from selfheal.notification.flood import Flood
from selfheal.notification.sending import Send, Undeliverable
from selfheal.ports import Record

GIVE_UP_AFTER = 86_400.0  # seconds of trying, counted by the monotonic clock
PATIENCE = 6
"""Failures in a row, over half a minute, after which the next message is tried, too."""
NEWS_PAUSE = 30.0
"""The longest pause while something new comes."""

log = logging.getLogger(__name__)


class Sent(Enum):
    """How one try ended."""

    DELIVERED = "delivered"
    """The target has it."""
    REFUSED = "refused"
    """The target refuses these very words for good: given up, or a bundle is now halved."""
    FAILED = "failed"
    """It is tried again, or given up after a day of trying."""


class Courier:
    """Delivers to one target: questions, then oldest first, until delivered or given up.

    In a flood what comes is held, and goes out in one bundle when the target may hear more; a
    bundle's content is on record before it goes out. At the end of the engine nothing is held.

    What can't be delivered is tried again after 1 s, 2 s, 4 s … 10 minutes, and what comes after
    it waits: a target hears things in the order in which they happened. When the next gets through
    where this one failed again and again, this one is at fault and not the target: it is put aside
    and holds back nobody. A bundle that is refused is halved until what is at fault is alone.

    The record says what was delivered; only a crash between the delivery and that note delivers
    something twice.
    """

    def __init__(
        self, target: str, send: Send, record: Record, clock: Clock, limit: Bundle | None = None
    ) -> None:
        self._target = target
        self._send = send
        self._record = record
        self._clock = clock
        self._flood = Flood(limit, target, record, clock)
        self._aside = Aside(clock)
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
                await self._pause(pause_after(failures))
                failures += 1

    async def _next(self) -> bool:
        """Deliver what is next, or wait for it; False when it failed, or there is no more."""
        delivery = self._record.next_delivery(self._target, besides=self._aside.resting())
        if delivery is None:
            if self._finishing.is_set():
                return False
            await self._news_or(self._aside.next_in())
            return True
        parcel = self._parcel(delivery)
        if parcel is None:
            await self._news_or(self._flood.wait())
            return True
        if await self._deliver(parcel) is not Sent.FAILED:
            return True
        return await self._at_fault(parcel)

    def _parcel(self, delivery: Delivery) -> Parcel | None:
        """What goes out with it now; None when it is held."""
        if delivery.asks:
            return single(delivery)
        wait = 0.0 if delivery.bundle else self._flood.wait()
        if wait and not self._finishing.is_set():
            self._record.hold(self._target)
            return None
        held = bool(wait) or delivery.state is DeliveryState.HELD
        return self._bundle_of(delivery) if held else single(delivery)

    def _bundle_of(self, delivery: Delivery) -> Parcel:
        """Everything that is held; one alone is no bundle."""
        name = delivery.bundle
        if not name:
            name = new_id("no")
            self._record.bundle_up(self._target, name)
        members = self._record.bundled(name)
        return bundle(name, members) if len(members) > 1 else single(delivery)

    async def _deliver(self, parcel: Parcel) -> Sent:
        try:
            await self._send(parcel.message)
        except Undeliverable as error:
            refusal = str(error)
            await self._note(lambda: self._refused(parcel, refusal))
            return Sent.REFUSED
        except Exception as error:  # whatever it raises, it is not delivered
            self._failed(parcel, str(error) or type(error).__name__)
            return Sent.FAILED
        await self._note(lambda: self._delivered(parcel))
        return Sent.DELIVERED

    async def _at_fault(self, parcel: Parcel) -> bool:
        """Whether it is what has failed now, and not the target: then it holds back nobody."""
        first = parcel.deliveries[0]
        if first in self._aside:
            self._aside.put(first)
            return True
        if first.tries + 1 < PATIENCE or _is_old(parcel):
            return False
        if not await self._next_gets_through(parcel):
            return False
        if len(parcel.deliveries) > 1:
            self._halve(parcel)
        else:
            self._aside.put(first)
            text = f"{self._target} takes later messages and not this one, which is put aside"
            self._tell(parcel.message, text)
        return True

    async def _next_gets_through(self, parcel: Parcel) -> bool:
        mine = [one.notification.id for one in parcel.deliveries]
        besides = [*self._aside.resting(), *mine]
        other = self._record.next_delivery(self._target, besides=besides)
        if other is None:
            return False
        if not parcel.deliveries[0].bundle:
            # What is tried in its place must not be bundled up together with it.
            self._record.put_in_bundle(parcel.deliveries, new_id("no"))
        probe = self._parcel(other)
        return probe is not None and await self._deliver(probe) is Sent.DELIVERED

    def _halve(self, parcel: Parcel) -> None:
        """Let each half go out by itself: what is good in it is not lost with what is not."""
        many = parcel.deliveries
        with self._record.transaction():
            for half in (many[: len(many) // 2], many[len(many) // 2 :]):
                self._record.put_in_bundle(half, new_id("no"))

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
        """Wait; something new to tell cuts a long pause short: the target may be there again."""
        began, short = self._clock.monotonic(), min(seconds, NEWS_PAUSE)
        await self._first(self._clock.sleep(short), self._finishing.wait())
        if short < seconds and not self._news.is_set():
            await self._news_or(seconds - short)
        with contextlib.suppress(StoreError):  # it is tried for a little longer, that is all
            self._record.add_waiting_time(self._target, self._clock.monotonic() - began)

    async def _news_or(self, seconds: float | None) -> None:
        alarm = [] if seconds is None else [self._clock.sleep(seconds)]
        await self._first(self._news.wait(), *alarm)

    @staticmethod
    async def _first(*waits: Coroutine[Any, Any, object]) -> None:
        tasks = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _failed(self, parcel: Parcel, why: str) -> None:
        if _is_old(parcel):
            return self._give_up(parcel, why)
        first = not any(one.tries for one in parcel.deliveries)
        with self._record.transaction():
            for delivery in parcel.deliveries:
                self._record.delivery_failed(delivery, why, self._aside.rested(delivery))
            if first:
                self._tell(parcel.message, f"could not tell {self._target} yet: {why}", why)
        return None

    def _refused(self, parcel: Parcel, why: str) -> None:
        if len(parcel.deliveries) > 1:
            log.warning("%s refuses %r: %s", self._target, parcel.message.subject, why)
            return self._halve(parcel)
        return self._give_up(parcel, why)

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
        self._aside.drop(delivery)

    def _tell(self, told: Notification, text: str, error: str = "") -> None:
        self._record.tell(
            Kind.NOTIFICATION,
            text,
            incident_id=told.incident_id,
            healing_id=told.healing_id,
            data={"notification_id": told.id, "target": self._target, "error": error},
        )


def _is_old(parcel: Parcel) -> bool:
    """Whether it was tried for so long that it is given up at its next failure."""
    return min(one.waited for one in parcel.deliveries) >= GIVE_UP_AFTER
