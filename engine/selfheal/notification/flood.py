"""When a target has heard enough for now."""

from __future__ import annotations

from selfheal.clock import Clock
from selfheal.config import Bundle
from selfheal.ports import Record


class Flood:
    """Counts what one target has heard, by the record: a restart changes nothing.

    A bundle counts as all that is in it, so while a flood lasts a target hears one bundle a
    window, and single messages again when so few come that they fit.
    """

    def __init__(self, limit: Bundle | None, target: str, record: Record, clock: Clock) -> None:
        self._limit = limit
        self._target = target
        self._record = record
        self._clock = clock

    def wait(self) -> float:
        """Return the seconds until the target may hear more, 0 when it may now."""
        if self._limit is None:
            return 0.0
        # A wall clock set back leaves times that are still to come: they do not count yet, so
        # that nothing is ever held for longer than the window.
        now = self._clock.now()
        heard = self._record.heard_at(self._target, self._limit.after, now)
        return 0.0 if heard is None else max(0.0, heard + self._limit.within - now)
