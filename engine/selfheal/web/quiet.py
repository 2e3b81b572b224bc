"""aiohttp's server, without what it would tell a stranger."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import web

log = logging.getLogger(__name__)


class QuietServer(web.Server):
    """A low-level server: every request comes to the one handler."""

    def __init__(self, handler: Any, **kwargs: Any) -> None:
        super().__init__(handler, **kwargs)
        self._settings = kwargs

    def __call__(self) -> web.RequestHandler:
        return QuietConnection(self, loop=asyncio.get_running_loop(), **self._settings)


class QuietConnection(web.RequestHandler):
    """One connection; bare when it says what is no HTTP."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What can't be read as HTTP gets the bare status, and so does what we failed at."""
        if status >= 500:
            log.error("a request of %s could not be answered", request.remote, exc_info=exc)
        response = web.Response(status=status, headers={"Server": ""})
        response.force_close()
        return response
