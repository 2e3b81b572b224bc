"""A real webhook receiver on the loopback: what a chat service would get."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from tests.servers.base import free_port


class Hook:
    """Keeps every message it was posted."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self.messages: list[dict[str, Any]] = []

    @property
    def config(self) -> dict[str, Any]:
        """What `notify` in selfheal.yml says to reach it."""
        return {"webhooks": [{"url": self.url}]}


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Hook]:
    """Run the receiver while the block lasts."""
    port = free_port()
    hook = Hook(port)

    async def take(request: web.Request) -> web.Response:
        hook.messages.append(await request.json())
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield hook
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """Run a server that takes connections and never answers; yield its URL."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.close()
        await server.wait_closed()
