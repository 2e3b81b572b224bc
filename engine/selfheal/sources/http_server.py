"""The HTTP server under `webhook` and `alertmanager`: TLS, token, signature, limits, answers.

It is aiohttp's, not starlette on uvicorn: a rulebook may look at `event.meta.headers["X-GitHub-…"]`
and ASGI throws the spelling of header names away; and it lives in the engine's event loop without
touching its signal handlers.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import hmac
import logging
import math
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import Field, SecretStr, field_validator, model_validator

from selfheal.clock import SystemClock
from selfheal.errors import EventError, SelfhealError, SourceError
from selfheal.http_door import Connections, RateLimit, listening
from selfheal.masking import SHORTEST
from selfheal.sources.arguments import Arguments, Port, Seconds
from selfheal.sources.events import EventLimits, parse_json
from selfheal.sources.headers import shown_headers

_LOG = logging.getLogger(__name__)
_DRAIN_SECONDS = 5.0

Accept = Callable[[str, dict[str, str], Any], Awaitable[web.Response]]
"""Take one request in: path without the leading slash, headers, JSON body."""


class ServerArgs(Arguments):
    """What every source that listens may be told."""

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all."""
    port: Port
    """TCP port."""
    token: SecretStr | None = Field(default=None, min_length=SHORTEST)
    """Senders must show it: `Authorization: Bearer <token>`."""
    certfile: str = ""
    """PEM certificate chain; with it the server speaks TLS only."""
    keyfile: str = ""
    """PEM key, when it is not in `certfile`."""
    password: SecretStr | None = None
    """Of the key."""
    cafile: str = ""
    """PEM file of the authorities whose client certificates are let in; others are not."""
    capath: str = ""
    """The same as a folder."""
    hmac_secret: SecretStr | None = Field(default=None, min_length=SHORTEST)
    """Senders must sign the body with it."""
    hmac_algo: str = "sha256"
    """Hash of the signature."""
    hmac_header: str = "x-hub-signature-256"
    """Header with the signature, alone or after `<algo>=`."""
    hmac_format: Literal["hex", "base64"] = "hex"
    """How the signature is written."""
    max_body: int | None = Field(default=None, gt=0)
    """Most bytes of a request's body; never more than the engine takes as one event."""
    body_timeout: Seconds = 30.0
    """Time in which a sender must have sent its body."""
    max_requests: int = 64
    """Requests worked on at a time; the others wait, their bodies unread."""
    keep_headers: list[str] = Field(default_factory=list)
    """Headers for the event although their names look like a credential's."""
    header_timeout: Seconds = 10.0
    """Time in which the headers of a request must be there."""
    max_connections: int = Field(default=1000, ge=1)
    """Connections of all peers at a time."""
    max_connections_per_peer: int = Field(default=200, ge=1)
    """Connections of one peer; a proxy is one peer."""
    rate_limit: float = Field(default=2000.0, gt=0)
    """Requests a second of one peer, after a burst of ten times as many."""
    total_rate_limit: float = Field(default=5000.0, gt=0)
    """Requests a second of all peers, after a burst of ten times as many."""

    @field_validator("hmac_algo")
    @classmethod
    def _known_algorithm(cls, value: str) -> str:
        try:
            hmac.new(b"key", b"", value).digest()
        except (ValueError, TypeError):
            known = ", ".join(sorted(hashlib.algorithms_guaranteed))
            raise ValueError(f"unknown hash {value!r}; known are {known}") from None
        return value

    @model_validator(mode="after")
    def _tls_is_whole(self) -> ServerArgs:
        if not self.certfile and (self.keyfile or self.cafile or self.capath):
            raise ValueError("'keyfile', 'cafile' and 'capath' need 'certfile'")
        return self


async def serve(args: ServerArgs, name: str, limits: EventLimits, accept: Accept) -> None:
    """Listen until cancelled; then no new requests, and those at work have 5 s to end.

    Answers 400 for what is no JSON, 401 without the right token or signature, 413 for a body
    that is too large, 429 with `Retry-After` to who asks too often, 503 when the engine can't take
    events; anything else is `accept`'s answer.
    Raises `SourceError` for certificates that can't be used, `OSError` when the port is taken.
    """
    server = _Server(args, limits, accept)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=_DRAIN_SECONDS)
    await runner.setup()
    try:
        tls = _tls_context(args, name)
        async with listening(runner, server.connections, args.host, args.port, tls):
            await asyncio.get_running_loop().create_future()
    finally:
        await runner.cleanup()


class _Server:
    def __init__(self, args: ServerArgs, limits: EventLimits, accept: Accept) -> None:
        self.args = args
        self.accept = accept
        most = min(args.max_body or limits.max_bytes, limits.max_bytes)
        self.limits = dataclasses.replace(limits, max_bytes=most)
        self.slots = asyncio.Semaphore(args.max_requests)
        self.connections = Connections(
            args.max_connections_per_peer, args.max_connections, args.header_timeout
        )
        self.rate = RateLimit(
            args.rate_limit,
            10 * args.rate_limit,
            total=args.total_rate_limit,
            total_burst=10 * args.total_rate_limit,
            clock=SystemClock(),
        )
        self.keep = frozenset(name.lower() for name in args.keep_headers)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=self.limits.max_bytes)
        # No middleware: aiohttp keeps, in a cache of the module, every application that has any.
        app.router.add_route("*", "/{endpoint:.*}", self._enter)
        return app

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        with self.connections.request(request.transport):
            if wait := self.rate.wait(request.remote or ""):
                headers = {"Retry-After": str(math.ceil(wait)), "Connection": "close"}
                return web.Response(status=429, text="too many requests\n", headers=headers)
            return await self._handler_of(request)(request)

    def _handler_of(self, request: web.Request) -> Handler:
        if request.method == "POST":
            return self._post
        if request.method in ("GET", "HEAD") and request.path == "/":
            return self._status
        allowed = ["GET", "HEAD", "POST"] if request.path == "/" else ["POST"]
        raise web.HTTPMethodNotAllowed(request.method, allowed)

    async def _status(self, request: web.Request) -> web.Response:
        return web.Response(text="up")

    async def _post(self, request: web.Request) -> web.Response:
        if not self._token_is_right(request):
            headers = {"WWW-Authenticate": "Bearer"}
            return web.Response(status=401, text="missing or wrong token\n", headers=headers)
        if (request.content_length or 0) > self.limits.max_bytes:
            return self._too_large()
        async with self.slots:
            return await self._take(request)

    async def _take(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(self.args.body_timeout):
                body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._too_large()
        except TimeoutError:
            return web.Response(status=408, text="the body took too long\n")
        if not self._signature_is_right(request, body):
            return web.Response(status=401, text="missing or wrong signature\n")
        try:
            payload = parse_json(body, self.limits)
        except EventError as error:
            return web.Response(status=400, text=f"refused: {error}\n")
        return await self._hand_over(request, payload)

    async def _hand_over(self, request: web.Request, payload: Any) -> web.Response:
        headers = shown_headers(request.headers.items(), self.keep)
        try:
            return await self.accept(request.match_info["endpoint"], headers, payload)
        except EventError as error:
            return web.Response(status=422, text=f"refused: {error}\n")
        except SelfhealError:
            _LOG.exception("an event could not be taken in; its sender is told to come again")
            return web.Response(status=503, text="try again\n", headers={"Retry-After": "5"})

    def _too_large(self) -> web.Response:
        text = f"larger than {self.limits.max_bytes} bytes\n"
        # The rest of the body is still on its way: this connection is of no more use.
        return web.Response(status=413, text=text, headers={"Connection": "close"})

    def _token_is_right(self, request: web.Request) -> bool:
        if self.args.token is None:
            return True
        scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
        same = hmac.compare_digest(_raw(token.strip()), _raw(self.args.token.get_secret_value()))
        return same and scheme.lower() == "bearer"

    def _signature_is_right(self, request: web.Request, body: bytes) -> bool:
        if self.args.hmac_secret is None:
            return True
        given = request.headers.get(self.args.hmac_header, "").strip()
        given = given.removeprefix(f"{self.args.hmac_algo}=")
        secret = _raw(self.args.hmac_secret.get_secret_value())
        digest = hmac.new(secret, body, self.args.hmac_algo).digest()
        if self.args.hmac_format == "base64":
            return hmac.compare_digest(_raw(given), base64.b64encode(digest))
        return hmac.compare_digest(_raw(given.lower()), digest.hex().encode())


def _tls_context(args: ServerArgs, name: str) -> ssl.SSLContext | None:
    if not args.certfile:
        return None
    password = args.password.get_secret_value() if args.password else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(args.certfile, args.keyfile or None, password or "")
        if args.cafile or args.capath:
            context.load_verify_locations(args.cafile or None, args.capath or None)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise SourceError(f"source {name}: certificates can't be used: {error}") from error
    return context


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
