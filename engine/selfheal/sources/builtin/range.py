"""range: events `{"i": 0}`, `{"i": 1}` … up to a limit, then the source ends."""

from __future__ import annotations

import asyncio
import builtins
from typing import Any

from selfheal.ports import EventQueue
from selfheal.sources.arguments import Arguments, Seconds, parse_arguments


class Args(Arguments):
    """What a rulebook may say."""

    limit: int
    """How many events."""
    delay: Seconds = 0.0
    """Time between two events."""


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Put `limit` events."""
    given = parse_arguments(Args, args, "range")
    for i in builtins.range(given.limit):
        await queue.put({"i": i})
        await asyncio.sleep(given.delay)
