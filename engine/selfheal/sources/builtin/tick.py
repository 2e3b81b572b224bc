"""tick: an event `{"i": 1}`, `{"i": 2}` … at each tick, without end."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from selfheal.ports import EventQueue
from selfheal.sources.arguments import Arguments, Seconds, parse_arguments


class Args(Arguments):
    """What a rulebook may say."""

    delay: Seconds = 1.0
    """Time between two ticks."""


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Put events until cancelled."""
    given = parse_arguments(Args, args, "tick")
    for i in itertools.count(1):
        await queue.put({"i": i})
        await asyncio.sleep(given.delay)
