"""Token buckets: how many requests one peer, and all together, may make."""

from __future__ import annotations

from collections import OrderedDict

from selfheal.clock import Clock
from selfheal.http_door.peer import peer_of

MOST_PEERS = 10_000


class RateLimit:
    """`rate` requests a second for each peer and `total` for all, in the long run.

    `burst` and `total_burst` may come at once. The 10,000 peers seen last are remembered."""

    def __init__(
        self, rate: float, burst: float, *, total: float, total_burst: float, clock: Clock
    ) -> None:
        self._rate, self._burst = rate, burst
        self._clock = clock
        self._all = _Bucket(total, total_burst, clock.monotonic())
        self._peers: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, address: str) -> float:
        """Let one request through and return 0; else the seconds after which to try again."""
        peer, now = peer_of(address), self._clock.monotonic()
        bucket = self._peers.pop(peer, None) or _Bucket(self._rate, self._burst, now)
        self._peers[peer] = bucket
        if len(self._peers) > MOST_PEERS:
            self._peers.popitem(last=False)
        # The peer's own first: who is over its limit takes nothing away from the others.
        return bucket.take(now) or self._all.take(now)


class _Bucket:
    __slots__ = ("at", "burst", "left", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = max(1.0, burst)  # less would never let anything through
        self.left = self.burst
        self.at = now

    def take(self, now: float) -> float:
        self.left = min(self.burst, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left >= 1:
            self.left -= 1
            return 0.0
        return (1 - self.left) / self.rate
