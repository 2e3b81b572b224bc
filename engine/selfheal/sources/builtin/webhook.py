"""webhook: an HTTP server; the JSON body of each POST is an event."""

from __future__ import annotations

from typing import Any

from selfheal.ports import EventQueue
from selfheal.sources.arguments import parse_arguments
from selfheal.sources.http_server import ServerArgs, serve
from selfheal.sources.intake import deliver, limits_of


class Args(ServerArgs):
    """What a rulebook may say; `port` is required."""


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Serve until cancelled; a sender has its 200 only after the event is taken in."""
    from aiohttp import web

    async def accept(endpoint: str, headers: dict[str, str], payload: Any) -> web.Response:
        meta = {"endpoint": endpoint, "headers": headers}
        await deliver(queue, {"payload": payload, "meta": meta})
        return web.Response(text=endpoint)

    given = parse_arguments(Args, args, "webhook")
    await serve(given, "webhook", limits_of(queue), accept)
