"""The way of every request: rate, then what anybody may ask, then who asks, then what for."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from selfheal.config import Api
from selfheal.errors import SelfhealError
from selfheal.http_door import Connections, RateLimit
from selfheal.web.pages import LinkPages, Shown
from selfheal.web.problem import HttpProblem
from selfheal.web.routes import Asked, Routes
from selfheal.web.users import Users

log = logging.getLogger(__name__)

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": "",  # else aiohttp says its name and version
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Door:
    """Lets requests in."""

    def __init__(
        self,
        config: Api,
        *,
        users: Users,
        connections: Connections,
        rate: RateLimit,
        routes: Routes,
        pages: LinkPages | None,
        healthy: Callable[[], bool],
    ) -> None:
        self._config = config
        self._users = users
        self._connections = connections
        self._rate = rate
        self._routes = routes
        self._pages = pages
        self._healthy = healthy

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        with self._connections.request(request.transport):
            return await self._answer(request)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        who = ""
        if wait := self._rate.wait(request.remote or ""):
            response = web.Response(status=429, headers={"Retry-After": str(math.ceil(wait))})
        elif (answer := await self._open_to_all(request)) is not None:
            response = answer
        elif who := self._users.who(request.headers.get("Authorization", "")):
            response = await self._known(request, who)
        else:
            response = web.Response(status=401)
        return self._dressed(response, keep=bool(who))

    def _dressed(self, response: web.Response, *, keep: bool) -> web.Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if self._config.certfile:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        if not keep:
            response.force_close()  # a stranger has one request a connection
        return response

    async def _open_to_all(self, request: web.BaseRequest) -> web.Response | None:
        """Answer what needs no token: health, and links that this engine has signed."""
        reads = request.method in ("GET", "HEAD")
        if request.path == "/healthz" and reads:
            return self._health()
        link = self._pages.link(request.path) if self._pages else None
        if self._pages and link and (reads or request.method == "POST"):
            return await self._linked(request, self._pages, link)
        return None

    async def _linked(
        self, request: web.BaseRequest, pages: LinkPages, link: Shown
    ) -> web.Response:
        try:
            if request.method != "POST":
                return pages.show(link)
            return pages.answer(link, _form(await self._body(request)))
        except HttpProblem as problem:
            return web.Response(status=problem.status)
        except SelfhealError:
            log.exception("a link could not be answered")
            return web.Response(status=503)

    def _health(self) -> web.Response:
        try:
            fine = self._healthy() and self._routes.record_answers()
        except SelfhealError:
            fine = False
        return web.Response(text="ok") if fine else web.Response(status=503)

    async def _known(self, request: web.BaseRequest, who: str) -> web.Response:
        """Answer one who has shown a token."""
        try:
            handler, words = self._routes.find(request.method, request.path)
            body = await self._json(request) if request.method == "POST" else {}
            data = handler(Asked(who, words, request.query, body))
            return self._reply(200, data)
        except HttpProblem as problem:
            response = self._reply(problem.status, {"error": problem.message, **problem.data})
            response.headers.update(problem.headers)
            if problem.status in (408, 413):
                response.force_close()  # the rest of the body is still on its way
            return response
        except SelfhealError:
            log.exception("a request of %s could not be answered", who)
            return self._reply(503, {"error": "the record does not answer; see the engine's log"})

    def _reply(self, status: int, data: Any) -> web.Response:
        text = json.dumps(self._routes.masked(data))  # ASCII: half characters have no UTF-8
        return web.Response(status=status, text=text, content_type="application/json")

    async def _json(self, request: web.BaseRequest) -> Mapping[str, Any]:
        raw = await self._body(request)
        try:
            body = json.loads(raw) if raw else {}
        except (ValueError, RecursionError) as error:
            raise HttpProblem(400, "the body is no JSON") from error
        if not isinstance(body, dict):
            raise HttpProblem(400, "the body is no JSON object")
        return body

    async def _body(self, request: web.BaseRequest) -> bytes:
        """Read it, no more of it and for no longer than allowed."""
        most, chunks, size = self._config.max_body, [], 0
        if (request.content_length or 0) > most:
            raise HttpProblem(413, f"the body has more than {most} bytes")
        try:
            async with asyncio.timeout(self._config.body_timeout):
                async for chunk in request.content.iter_any():
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > most:
                        raise HttpProblem(413, f"the body has more than {most} bytes")
        except TimeoutError:
            raise HttpProblem(408, "the body took too long") from None
        except web.RequestPayloadError as error:
            raise HttpProblem(400, "the body can't be read") from error
        return b"".join(chunks)


def _form(raw: bytes) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(raw.decode(), max_num_fields=10))
    except ValueError as error:
        raise HttpProblem(400, "the form can't be read") from error
