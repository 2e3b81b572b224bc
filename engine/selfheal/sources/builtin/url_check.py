"""url_check: ask URLs at each turn and put an event for each answer, good or bad.

`selfheal.http_check` tells changes only and knows thresholds; this one is ansible.eda's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pydantic import Field

from selfheal.ports import EventQueue
from selfheal.sources.arguments import Arguments, Seconds, parse_arguments

if TYPE_CHECKING:
    import aiohttp


class Args(Arguments):
    """What a rulebook may say."""

    urls: list[str] = Field(min_length=1)
    """What to ask."""
    delay: Seconds = 1.0
    """Time between two turns."""
    verify_ssl: bool = True
    """Check certificates."""
    timeout: Seconds = 10.0
    """Time for one answer."""


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Ask all URLs at the same time, turn after turn, until cancelled."""
    import aiohttp

    given = parse_arguments(Args, args, "url_check")
    timeout = aiohttp.ClientTimeout(total=given.timeout)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            asked = (_ask(session, url, given) for url in given.urls)
            for answer in await asyncio.gather(*asked):
                await queue.put({"url_check": answer})
            await asyncio.sleep(given.delay)


async def _ask(session: aiohttp.ClientSession, url: str, args: Args) -> dict[str, Any]:
    import aiohttp

    try:
        async with session.get(url, ssl=args.verify_ssl) as response:
            status = "up" if response.status == 200 else "down"
            return {"url": url, "status": status, "status_code": response.status}
    except TimeoutError:
        message = f"no answer within {args.timeout:g}s"
    except (aiohttp.ClientError, ValueError) as error:
        message = str(error) or type(error).__name__
    return {"url": url, "status": "down", "error_msg": message}
