"""Token buckets: how many requests one peer, and all together, may make."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

_MOST_PEERS = 10_000


class RateLimit:
    """At most `rate` requests a second for each peer and `total` for all, after a first burst.

    The burst is ten seconds' worth. The 10,000 peers seen last are remembered."""

    def __init__(self, rate: float, total: float, now: Callable[[], float]) -> None:
        self._rate, self._now = rate, now
        self._all = _Bucket(total, now())
        self._peers: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, peer: str, cost: float = 1.0) -> float:
        """Take `cost` from the peer's bucket; return 0, or the seconds after which to try again."""
        now = self._now()
        bucket = self._peers.pop(peer, None) or _Bucket(self._rate, now)
        self._peers[peer] = bucket
        if len(self._peers) > _MOST_PEERS:
            self._peers.popitem(last=False)
        # The peer's own first: who is over its limit takes nothing away from the others.
        return bucket.take(cost, now) or self._all.take(cost, now)


class _Bucket:
    __slots__ = ("at", "left", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self.left = rate * 10
        self.at = now

    def take(self, cost: float, now: float) -> float:
        self.left = min(self.rate * 10, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left >= cost:
            self.left -= cost
            return 0.0
        return (cost - self.left) / self.rate
