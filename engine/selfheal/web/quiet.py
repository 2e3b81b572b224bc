"""aiohttp's server, without what it would tell a stranger: its name, its version, its errors."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

HEADER_SECONDS = 10.0
"""Time in which a peer that has connected must have sent its first request's head."""


class QuietConnection(web.RequestHandler):
    """One connection; closed when it says nothing, and bare when it says what is no HTTP."""

    __slots__ = ("_silent",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._silent: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._silent = loop.call_later(HEADER_SECONDS, transport.close)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.has_spoken()
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
        """What can't be read as HTTP gets the bare status."""
        self.has_spoken()
        response = web.Response(status=status, headers={"Server": ""})
        response.force_close()
        return response


class QuietServer(web.Server):
    """A low-level server of such connections: every request comes to the one handler."""

    def __init__(self, handler: Any, **kwargs: Any) -> None:
        super().__init__(handler, **kwargs)
        self._settings = kwargs

    def __call__(self) -> web.RequestHandler:
        return QuietConnection(self, loop=asyncio.get_running_loop(), **self._settings)
