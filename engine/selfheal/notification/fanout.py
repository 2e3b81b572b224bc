"""Tell every configured target; one that fails never keeps the others from being told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from selfheal.clock import Clock
from selfheal.config import Bundle
from selfheal.errors import StoreError
from selfheal.model import DeliveryState, Kind, Notification, fingerprint_of, new_id
from selfheal.notification.courier import Courier
from selfheal.notification.off_record import OffRecord
from selfheal.notification.sending import Send
from selfheal.ports import JSON, Record

DRAIN_SECONDS = 30.0

log = logging.getLogger(__name__)


class FanoutNotifier:
    """Notifies the log, the timeline, and each target by name.

    A message is on disk when `notify` returns; couriers deliver it, each target by its own: a
    chat service that hangs holds up neither the healing that has something to say nor the pager.
    With a `limit` a flood of messages reaches each target as a few bundles.
    """

    def __init__(
        self,
        record: Record,
        targets: Mapping[str, Send],
        clock: Clock,
        limit: Bundle | None = None,
    ) -> None:
        self._record = record
        self._targets = targets
        self._clock = clock
        self._limit = limit
        self._couriers: dict[Courier, asyncio.Task[None]] = {}
        self._off_record = OffRecord(targets, clock, limit, self._put_on_record)

    async def notify(self, subject: str, body: str, data: JSON) -> None:
        self.post(subject, body, data)

    def post(self, subject: str, body: str, data: JSON) -> None:
        """See `ports.Notifier.post`."""
        told = _notification(subject, body, data, self._clock.now())
        try:
            if not self._write(told):
                return
        except StoreError as error:
            log.error("the call for help is not on record: %s", error)
            self._off_record.send(told)
        log.warning("human needed: %s\n%s", subject, body)
        self._run_couriers()

    def start(self) -> None:
        """Take up what an earlier engine has left undelivered."""
        self._give_up_strangers()
        self._run_couriers()

    async def drain(self) -> None:
        """Try once more what waits, then end; what can't be delivered waits for the next start."""
        self._off_record.flush()
        self._run_couriers()
        for courier in self._couriers:
            courier.finish()
        tasks = {*self._couriers.values(), asyncio.ensure_future(self._off_record.drain())}
        _, late = await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._couriers.clear()

    def _put_on_record(self, told: Notification) -> None:
        self._write(told)
        self._run_couriers()

    def _write(self, told: Notification) -> bool:
        with self._record.transaction():
            if not self._record.add_notification(told, list(self._targets)):
                return False
            self._record.tell(
                Kind.NOTIFICATION,
                f"human needed: {told.subject}",
                incident_id=told.incident_id,
                healing_id=told.healing_id,
                data={"notification_id": told.id, "subject": told.subject, "body": told.body},
            )
            return True

    def _run_couriers(self) -> None:
        if not self._couriers:
            for name, send in self._targets.items():
                courier = Courier(name, send, self._record, self._clock, self._limit)
                self._couriers[courier] = asyncio.create_task(courier.run())
        for courier in self._couriers:
            courier.wake()

    def _give_up_strangers(self) -> None:
        """What waits for a target that nobody configures any more waits in vain."""
        waiting = self._record.deliveries(state="waiting", limit=1_000_000)
        held = self._record.deliveries(state="held", limit=1_000_000)
        for delivery in (*waiting, *held):
            if delivery.target not in self._targets:
                why = "it is no longer configured"
                text = f"gave up telling {delivery.target}: {why}"
                incident = delivery.notification.incident_id
                with self._record.transaction():
                    given_up = DeliveryState.GIVEN_UP
                    self._record.end_delivery(delivery, given_up, self._clock.now(), why)
                    self._record.tell(Kind.NOTIFICATION, text, incident_id=incident)


def _notification(subject: str, body: str, data: JSON, now: float) -> Notification:
    incident = str(data.get("incident_id", ""))
    return Notification(
        id=new_id("no"),
        at=now,
        subject=subject,
        body=body,
        cause=str(data.get("cause", "")) or (_cause(subject, data) if incident else ""),
        incident_id=incident,
        healing_id=str(data.get("healing_id", "")),
        data=data,
    )


def _cause(subject: str, data: JSON) -> str:
    """The same words on the same incident are the same call, made again after a crash.

    The body is left out: evidence gathered again may have grown."""
    return fingerprint_of(subject, repr(sorted(data.items())))
