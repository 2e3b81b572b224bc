"""Listening: the HTTP API as an asynchronous context."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import web

from selfheal.approvals import Approvals, Links
from selfheal.clock import Clock
from selfheal.config import Api
from selfheal.errors import ConfigError, Problem
from selfheal.http_door import Connections, RateLimit, listening
from selfheal.ports import Record
from selfheal.web.door import Door
from selfheal.web.pages import LinkPages
from selfheal.web.quiet import QuietServer
from selfheal.web.routes import Routes
from selfheal.web.users import load_users

HEADER_SECONDS = 10.0
"""Time in which the head of a request must be there."""
MOST_OF_ONE = 50
"""Connections that one peer may hold; all together, and in requests a second, ten times as much."""
_ALL = 10
_DRAIN_SECONDS = 5.0


@asynccontextmanager
async def serve_api(
    config: Api,
    record: Record,
    approvals: Approvals,
    mask: Callable[[str], str],
    clock: Clock,
    *,
    links: Links | None = None,
    root: Path = Path(),
    healthy: Callable[[], bool] = lambda: True,
) -> AsyncIterator[str]:
    """Answer requests while the context is open; yields the address, such as `127.0.0.1:8421`.

    `mask` is applied to every text that leaves. Without `links` no link does anything. `root` is
    the project's folder, from which relative paths are taken. `/healthz` answers 503 while
    `healthy` says so. Raises ConfigError for tokens or certificates that can't be used, and when
    the port is taken."""
    context = _tls(config, root)
    connections = Connections(MOST_OF_ONE, _ALL * MOST_OF_ONE, HEADER_SECONDS, clock)
    door = Door(
        config,
        users=load_users(config.users, root),
        connections=connections,
        rate=RateLimit(
            config.rate,
            config.burst,
            total=_ALL * config.rate,
            total_burst=_ALL * config.burst,
            clock=clock,
        ),
        routes=Routes(record, approvals, mask, clock),
        pages=LinkPages(record, approvals, links, mask, clock) if links else None,
        healthy=healthy,
    )
    server = QuietServer(
        door.handle,
        access_log=None,  # it would hold links
        keepalive_timeout=15.0,
        lingering_time=1.0,  # for the rest of a body that nobody reads
    )
    runner = web.ServerRunner(server, shutdown_timeout=_DRAIN_SECONDS)
    await runner.setup()
    try:
        async with AsyncExitStack() as stack:
            try:
                address = await stack.enter_async_context(
                    listening(runner, connections, config.host, config.port, context)
                )
            except OSError as error:
                place = f"api: {config.host}:{config.port}"
                raise ConfigError([Problem(f"can't listen there: {error}", place)]) from error
            yield address
    finally:
        await runner.cleanup()


def _tls(config: Api, root: Path) -> ssl.SSLContext | None:
    if not config.certfile:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    key = root / config.keyfile if config.keyfile else None
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(root / config.certfile, key, "")
    except (OSError, ssl.SSLError) as error:
        place = str(root / config.certfile)
        raise ConfigError([Problem(f"the certificate can't be used: {error}", place)]) from error
    return context
