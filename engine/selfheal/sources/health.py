"""Up or down: what a run of probe results says about one target."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """State of a target."""

    UNKNOWN = "unknown"
    """Not enough results yet."""
    UP = "up"
    """The last `healthy_after` results, or more, were good."""
    DOWN = "down"
    """The last `unhealthy_after` results, or more, were bad."""


class Verdict(Enum):
    """What one probe says."""

    GOOD = "good"
    """The target answered as expected."""
    BAD = "bad"
    """It didn't: refused, reset, wrong answer, no answer in time."""
    DISTRUSTED = "distrusted"
    """It timed out while this process itself was late: says nothing about the target."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe's result."""

    verdict: Verdict
    """What it says."""
    reason: str
    """One line for people: `connection refused`, `status 503`."""
    latency: float
    """Seconds it took."""


class Health:
    """The state of one target. It changes only by consecutive results that agree."""

    def __init__(self, unhealthy_after: int, healthy_after: int) -> None:
        self._unhealthy_after = unhealthy_after
        self._healthy_after = healthy_after
        self.status = Status.UNKNOWN
        """Where the target stands."""
        self.failures = 0
        """Bad results since the last good one."""
        self._successes = 0

    def add(self, verdict: Verdict) -> bool:
        """Count one result; return True when it is news: a change, except unknown to up."""
        before = self.status
        if verdict is Verdict.GOOD:
            self.failures, self._successes = 0, self._successes + 1
            if self._successes >= self._healthy_after:
                self.status = Status.UP
        elif verdict is Verdict.BAD:
            self.failures, self._successes = self.failures + 1, 0
            if self.failures >= self._unhealthy_after:
                self.status = Status.DOWN
        if self.status is Status.UP and before is Status.UNKNOWN:
            return False
        return self.status is not before
