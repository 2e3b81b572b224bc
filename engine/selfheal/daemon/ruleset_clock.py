"""A ruleset's own time: it goes on through restarts and is no wall clock, which may jump."""

from __future__ import annotations

from selfheal.clock import Clock


class RulesetClock:
    """The `Clock` of one matcher: stands still at the moment that is being matched.

    Moments are microseconds since the ruleset's journal began. What is matched, and when, is on
    record, so a matcher that is shown the same at the same moments ends in the same state.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = 0
        self._shown = 0
        self.start_at(0)

    def start_at(self, moment: int) -> None:
        """The ruleset's time is `moment` now."""
        self._offset = moment - self._ticks()

    def read(self) -> int:
        """Return the ruleset's time; never before what was shown."""
        return max(self._offset + self._ticks(), self._shown)

    def show(self, moment: int) -> None:
        """Let the matcher see that moment; one that has passed stays passed."""
        self._shown = max(self._shown, moment)

    @property
    def shown(self) -> int:
        """The moment the matcher sees."""
        return self._shown

    def now(self) -> float:
        """See `Clock`."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Return the moment that is being matched, in seconds."""
        return self._shown / 1e6

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await self._clock.sleep(seconds)

    def _ticks(self) -> int:
        return microseconds(self._clock.monotonic())


def microseconds(seconds: float) -> int:
    """Return whole microseconds."""
    return round(seconds * 1e6)
