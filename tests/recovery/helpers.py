"""Helpers of the recovery tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path


async def eventually(fact: Callable[[], bool], within: float = 30.0) -> None:
    """Wait until `fact` holds; fail after `within` seconds of real time."""
    deadline = time.monotonic() + within
    while not fact():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    """Tell whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
