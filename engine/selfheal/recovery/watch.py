"""What is looked for again and again: stops asked for elsewhere, what has come due, the leases."""

from __future__ import annotations

import logging
from collections.abc import Callable

from selfheal.clock import Clock
from selfheal.ports import Gate, Record
from selfheal.recovery.admission import Admission
from selfheal.recovery.ending import Ending
from selfheal.recovery.roster import Roster

_log = logging.getLogger(__name__)


class Watch:
    """Looks every `poll` seconds; renews the leases when a third of `lease` seconds is over."""

    def __init__(
        self,
        record: Record,
        clock: Clock,
        gate: Gate,
        roster: Roster,
        admission: Admission,
        ending: Ending,
        stop_queued: Callable[[str], None],
        *,
        poll: float,
        lease: float,
    ) -> None:
        self._record = record
        self._clock = clock
        self._gate = gate
        self._roster = roster
        self._admission = admission
        self._ending = ending
        self._stop_queued = stop_queued
        self._poll = poll
        self._lease = lease
        self._renewed_at = clock.monotonic()

    async def look(self) -> None:
        """Look for ever, until cancelled."""
        while True:
            await self._clock.sleep(self._poll)
            try:
                self._renew()
                self._obey()
                self._nudge()
                self._admission.tick()
                self._ending.try_again()
            except Exception:
                _log.exception("the record can't be watched; trying again")

    async def listen(self) -> None:
        """Pass on, until cancelled, that the gate may answer otherwise now."""
        while True:
            await self._gate.changed.wait()
            self._gate.changed.clear()
            self._admission.gate_changed()
            for driven in self._roster:
                driven.nudge.set()

    def _renew(self) -> None:
        now = self._clock.monotonic()
        if len(self._roster) and now - self._renewed_at >= self._lease / 3:
            ids = [driven.healing_id for driven in self._roster]
            self._record.renew_locks(ids, self._clock.now() + self._lease)
            self._renewed_at = now

    def _obey(self) -> None:
        for healing_id in self._record.stops_requested():
            if driven := self._roster.get(healing_id):
                driven.stop.set()
            else:
                self._stop_queued(healing_id)

    def _nudge(self) -> None:
        now = self._clock.now()
        for driven in self._roster:
            if driven.ask_at is not None and driven.ask_at <= now:
                driven.nudge.set()
