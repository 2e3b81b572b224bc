"""The connections of a server: how many one peer may hold, and how long it may dither.

aiohttp waits for the headers of a request for ever; a peer that opens connections and says nothing
would use up our descriptors.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager

from selfheal.clock import Clock, SystemClock
from selfheal.http_door.peer import peer_of

_LOG = logging.getLogger(__name__)
_TELL_EVERY = 60.0


class Connections:
    """The connections of one server: so many of one peer, so many at all, none that is silent."""

    def __init__(
        self, most_per_peer: int, most: int, header_timeout: float, clock: Clock | None = None
    ) -> None:
        self.header_timeout = header_timeout
        self._most_per_peer, self._most = most_per_peer, most
        self._held: Counter[str] = Counter()
        self._open: dict[int, Door] = {}
        self._clock = clock or SystemClock()
        self._told_at = float("-inf")

    def factory(self, inner: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return a factory of protocols that pass on to `inner` what they let in."""
        return lambda: Door(self, inner())

    @contextmanager
    def request(self, transport: asyncio.BaseTransport | None) -> Generator[None]:
        """While the context is open the headers are there, and the answer is at work on."""
        door = self._open.get(id(transport))
        if door is None:  # closed meanwhile
            yield
            return
        door.request_begins()
        try:
            yield
        finally:
            door.request_ends()

    def enter(self, peer: str, transport: asyncio.BaseTransport, door: Door) -> bool:
        """Count a connection in; False when there are too many."""
        if self._held[peer] >= self._most_per_peer or len(self._open) >= self._most:
            self._tell(peer)
            return False
        self._held[peer] += 1
        self._open[id(transport)] = door
        return True

    def leave(self, peer: str, transport: asyncio.BaseTransport) -> None:
        """Count it out."""
        del self._open[id(transport)]
        self._held[peer] -= 1
        if not self._held[peer]:
            del self._held[peer]

    def _tell(self, peer: str) -> None:
        now = self._clock.monotonic()
        if now - self._told_at >= _TELL_EVERY:
            self._told_at = now
            _LOG.warning("%s holds too many connections; more are refused", peer)


class Door(asyncio.Protocol):
    """One connection: passes everything on, and closes when headers take too long."""

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self._connections = connections
        self._inner = inner
        self._peer = ""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._busy = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = transport.get_extra_info("peername")
        self._peer = peer_of(str(peer[0])) if isinstance(peer, tuple) else ""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- TCP, TLS or not
        if not self._connections.enter(self._peer, transport, self):
            transport.abort()
            return
        self._transport = transport
        self._wait_for_headers()
        self._inner.connection_made(transport)

    def request_begins(self) -> None:
        """The headers are there."""
        self._busy += 1
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def request_ends(self) -> None:
        """The request is answered; the next one's headers count from their first byte."""
        self._busy -= 1

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if not self._busy and self._timer is None:
            self._wait_for_headers()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._transport else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is None:
            return
        if self._timer:
            self._timer.cancel()
        self._connections.leave(self._peer, self._transport)
        self._inner.connection_lost(exc)

    def _wait_for_headers(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._connections.header_timeout, self._too_slow)

    def _too_slow(self) -> None:
        self._timer = None
        if self._transport and not self._busy:
            self._transport.abort()
