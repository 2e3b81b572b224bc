"""The HTTP server under webhook and alertmanager, by itself."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from selfheal.sources.events import DEFAULT_LIMITS
from selfheal.sources.http_server import ServerArgs, serve
from tests.servers.base import await_fact, free_port, listens


class Taker:
    """Takes everything in; stands for all that a server's owner holds."""

    async def accept(self, endpoint: str, headers: dict[str, str], body: Any) -> web.Response:
        return web.Response(text=endpoint)


async def _serve_once(port: int) -> weakref.ref[Taker]:
    taker = Taker()
    serving = asyncio.create_task(serve(ServerArgs(port=port), "s", DEFAULT_LIMITS, taker.accept))
    await asyncio.to_thread(await_fact, "it listens", lambda: listens(port))
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session, session.post(f"{url}/here", json={}) as answer:
        assert await answer.text() == "here"
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    return weakref.ref(taker)


async def test_a_server_that_has_ended_is_let_go() -> None:
    """A reload ends the servers of the old rulebooks; whatever those held is freed."""
    ended = await _serve_once(free_port())
    await asyncio.sleep(0)
    gc.collect()
    assert ended() is None
