"""How many requests a peer may make: a token bucket each."""

from __future__ import annotations

import ipaddress

from selfheal.clock import Clock

_MOST_PEERS = 10_000


class Rate:
    """`rate` requests a second in the long run, `burst` at once."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, and when they were counted

    def take(self, peer: str) -> float:
        """Return 0 when the peer may go on, else the seconds after which it may."""
        key, now = _network(peer), self._clock.monotonic()
        tokens = self._tokens(key, now)
        if tokens < 1:
            return (1 - tokens) / self._rate
        if key not in self._buckets and len(self._buckets) >= _MOST_PEERS:
            self._forget(now)
        self._buckets[key] = (tokens - 1, now)
        return 0.0

    def _tokens(self, key: str, now: float) -> float:
        tokens, counted = self._buckets.get(key, (float(self._burst), now))
        return min(self._burst, tokens + (now - counted) * self._rate)

    def _forget(self, now: float) -> None:
        """A full bucket is as good as none; when all are in use the oldest goes."""
        full = [key for key in self._buckets if self._tokens(key, now) >= self._burst]
        for key in full or [min(self._buckets, key=lambda one: self._buckets[one][1])]:
            del self._buckets[key]


def _network(peer: str) -> str:
    """One who has an IPv6 address has as many as the network has."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
