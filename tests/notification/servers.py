"""Receivers: a webhook that answers as told, and enough of a mail server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Hook:
    """A webhook that remembers what it was posted."""

    url: str = ""
    status: int = 200
    heard: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def subjects(self) -> list[str]:
        return [one["subject"] for one in self.heard]


@contextlib.asynccontextmanager
async def webhook(status: int = 200, *, slow: bool = False) -> AsyncIterator[Hook]:
    """Serve a webhook; a slow one answers only when its `gate` is set."""
    hook = Hook(status=status)
    if not slow:
        hook.gate.set()

    async def take(request: web.Request) -> web.Response:
        hook.heard.append(await request.json())
        hook.keys.append(request.headers["Idempotency-Key"])
        hook.headers.append(dict(request.headers))
        await hook.gate.wait()
        return web.Response(status=hook.status)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield hook
    finally:
        hook.gate.set()
        await runner.cleanup()


@contextlib.asynccontextmanager
async def mail_server(mails: list[str], refusal: bytes = b"") -> AsyncIterator[int]:
    """A mail server that speaks just enough SMTP to take, or refuse, mails; yields its port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        text: list[str] | None = None
        while line := await reader.readline():
            word = line.decode().strip()
            if text is not None:
                if word == ".":
                    mails.append("\n".join(text))
                    text = None
                    writer.write(refusal or b"250 ok\r\n")
                else:
                    text.append(word)
            elif word.upper() == "DATA":
                text = []
                writer.write(b"354 go\r\n")
            elif word.upper() == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def until(fact: Callable[[], object], within: float = 10.0) -> None:
    """Wait until `fact` is true."""
    async with asyncio.timeout(within):
        while not fact():  # noqa: ASYNC110 (facts of a record set no event)
            await asyncio.sleep(0.01)
