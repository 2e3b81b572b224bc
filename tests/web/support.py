"""The API of an engine, listening, and clients that talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from selfheal.approvals import Links
from selfheal.config import Api
from selfheal.web import serve_api
from tests.approvals.support import Bench

TOKENS = {"anna": "anna-0123456789abcdef", "ben": "ben-0123456789abcdef"}
SECRET = "s3cr3t-of-the-house"


@dataclass
class Site:
    """What a test sees of it."""

    address: str
    bench: Bench
    links: Links

    async def ask(
        self, method: str, path: str, *, user: str = "anna", **more: Any
    ) -> tuple[int, Any]:
        """Return status and JSON of one request with that user's token."""
        headers = {"Authorization": f"Bearer {TOKENS[user]}", **more.pop("headers", {})}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, f"http://{self.address}{path}", headers=headers, **more
            ) as answer,
        ):
            return answer.status, await answer.json()

    async def raw(self, request: bytes, *, wait: float = 5.0) -> bytes:
        """Return everything the server says to these bytes until it closes the connection."""
        host, _, port = self.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        await writer.drain()
        try:
            return await asyncio.wait_for(reader.read(), wait)
        except ConnectionError:  # cut off
            return b""
        finally:
            writer.close()

    async def stranger(
        self, method: str, path: str, **more: Any
    ) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers of a request without a token."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"http://{self.address}{path}", **more) as answer,
        ):
            return answer.status, await answer.read(), dict(answer.headers)


@asynccontextmanager
async def site(folder: Path, bench: Bench, **api: Any) -> AsyncIterator[Site]:
    """An API by what `api:` in selfheal.yml says, with anna's and ben's tokens."""
    users = []
    for name, token in TOKENS.items():
        (folder / f"{name}.token").write_text(f"{token}\n")
        users.append({"name": name, "token_file": f"{name}.token"})
    config = Api.model_validate({"port": 0, "users": users, **api})
    links = Links(b"k" * 32, "http://selfheal.example")

    def mask(text: str) -> str:
        return text.replace(SECRET, "******")

    async with serve_api(
        config, bench.record, bench.approvals, mask, bench.clock, links=links, root=folder
    ) as address:
        yield Site(address, bench, links)
