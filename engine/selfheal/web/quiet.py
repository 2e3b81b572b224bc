"""aiohttp's server, without what it would tell a stranger, and with bounds on what one may hold."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

from aiohttp import web

log = logging.getLogger(__name__)

HEADER_SECONDS = 10.0
"""Time in which a peer that has connected must have sent its first request's head."""
MOST_OF_ONE = 50
"""Connections that one peer may hold."""
MOST = 500
"""Connections that all may hold together."""


class QuietServer(web.Server):
    """A low-level server: every request comes to the one handler."""

    def __init__(self, handler: Any, **kwargs: Any) -> None:
        super().__init__(handler, **kwargs)
        self._settings = kwargs
        self._held: Counter[str] = Counter()

    def __call__(self) -> web.RequestHandler:
        return QuietConnection(self, loop=asyncio.get_running_loop(), **self._settings)

    def enter(self, peer: str) -> bool:
        """Count a connection in; False when there are too many."""
        if self._held[peer] >= MOST_OF_ONE or self._held.total() >= MOST:
            return False
        self._held[peer] += 1
        return True

    def leave(self, peer: str) -> None:
        """Count it out."""
        self._held[peer] -= 1
        if not self._held[peer]:
            del self._held[peer]


class QuietConnection(web.RequestHandler):
    """One connection; closed when it says nothing, and bare when it says what is no HTTP."""

    __slots__ = ("_counted_as", "_server", "_silent")

    def __init__(self, server: QuietServer, **kwargs: Any) -> None:
        super().__init__(server, **kwargs)
        self._server = server
        self._silent: asyncio.TimerHandle | None = None
        self._counted_as: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._server.enter(peer):
            transport.close()
            return
        self._counted_as = peer
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._silent = loop.call_later(HEADER_SECONDS, transport.close)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.has_spoken()
        if self._counted_as is not None:
            self._server.leave(self._counted_as)
            super().connection_lost(exc)

    def has_spoken(self) -> None:
        """A whole head has come."""
        if self._silent is not None:
            self._silent.cancel()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What can't be read as HTTP gets the bare status, and so does what we failed at."""
        self.has_spoken()
        if status >= 500:
            log.error("a request of %s could not be answered", request.remote, exc_info=exc)
        response = web.Response(status=status, headers={"Server": ""})
        response.force_close()
        return response
