"""Listening behind a door."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from selfheal.http_door.connections import Connections

if TYPE_CHECKING:
    from aiohttp.web_runner import BaseRunner


@asynccontextmanager
async def listening(
    runner: BaseRunner,
    connections: Connections,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
) -> AsyncIterator[str]:
    """Let in what comes to `host` and `port` while the context is open; yields the address.

    At the end no more is let in; to end what is at work is the runner's, which must be set up.
    Raises `OSError` when the port is taken."""
    inner = cast("type[asyncio.Protocol]", runner.server)  # a factory of protocols
    loop = asyncio.get_running_loop()
    server = await loop.create_server(connections.factory(inner), host, port, ssl=tls)
    try:
        yield _address(server)
    finally:
        server.close()


def _address(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
