"""Messages put aside: a target takes others, and not these."""

from __future__ import annotations

from selfheal.clock import Clock
from selfheal.model import Delivery

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 600.0


def pause_after(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row: 1, 2, 4 … 600."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 20))


class Aside:
    """Each is tried again by itself, at times of its own, and holds back nobody.

    Kept in memory: after a restart what is at fault fails once more, and is put aside anew.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._put: dict[str, tuple[float, float]] = {}

    def put(self, delivery: Delivery) -> None:
        """Let it rest, the longer the more often it has failed."""
        now = self._clock.monotonic()
        self._put[delivery.notification.id] = now, now + pause_after(delivery.tries)

    def drop(self, delivery: Delivery) -> None:
        """Forget it: it has ended."""
        self._put.pop(delivery.notification.id, None)

    def __contains__(self, delivery: Delivery) -> bool:
        return delivery.notification.id in self._put

    def resting(self) -> list[str]:
        """Ids of the notifications that are not to be tried now."""
        now = self._clock.monotonic()
        return [ident for ident, (_, until) in self._put.items() if until > now]

    def rested(self, delivery: Delivery) -> float:
        """Seconds since it was put aside, 0 when it is not."""
        now = self._clock.monotonic()
        return now - self._put.get(delivery.notification.id, (now, now))[0]

    def next_in(self) -> float | None:
        """Seconds until the first of them is tried again; None when there is none."""
        ends = [until for _, until in self._put.values()]
        return max(0.0, min(ends) - self._clock.monotonic()) if ends else None
