"""Listening: the HTTP API as an asynchronous context."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from selfheal.approvals import Approvals, Links
from selfheal.clock import Clock
from selfheal.config import Api
from selfheal.errors import ConfigError, Problem
from selfheal.ports import Record
from selfheal.web.door import Door
from selfheal.web.pages import LinkPages
from selfheal.web.quiet import QuietServer
from selfheal.web.rate import Rate
from selfheal.web.routes import Routes
from selfheal.web.users import load_users

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
    door = Door(
        config,
        users=load_users(config.users, root),
        rate=Rate(config.rate, config.burst, clock),
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
        site = web.TCPSite(runner, config.host, config.port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            place = f"api: {config.host}:{config.port}"
            raise ConfigError([Problem(f"can't listen there: {error}", place)]) from error
        yield _address(runner)
    finally:
        await runner.cleanup()


def _address(runner: web.ServerRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
