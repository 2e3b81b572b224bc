"""What a healing does while the record can't be written: it waits, and goes on from the record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from selfheal.clock import Clock
from selfheal.errors import StoreError
from selfheal.model import Healing
from selfheal.ports import Record
from selfheal.recovery.plan import next_move
from selfheal.recovery.story import Story
from selfheal.recovery.waiting import cancelled, settled

_log = logging.getLogger(__name__)
_FIRST, _LONGEST = 0.5, 30.0  # seconds between two tries to write
_IN_VAIN = 10

T = TypeVar("T")


class Pausing:
    """Carries work on through times in which the record takes no writes (the disk is full)."""

    def __init__(self, record: Record, clock: Clock, draining: asyncio.Event) -> None:
        self._record = record
        self._clock = clock
        self._draining = draining

    async def through(self, healing_id: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """Return what `work` returns; None when the engine shuts down during a pause.

        `work` goes on from what is on record each time it is called. Raises StoreError when the
        record takes writes, and yet the work fails over it again and again and gets nowhere."""
        in_vain, last = 0, None  # the move it got stuck at
        while True:
            try:
                return await work()
            except StoreError as error:
                _log.error("healing %s is paused, its record fails: %s", healing_id, error)
                healing = await self._written(healing_id, _FIRST * 2**in_vain)
                if healing is None:
                    return None
                move = next_move(healing)
                in_vain, last = (in_vain + 1 if move == last else 1), move
                if in_vain > _IN_VAIN:
                    raise

    async def _written(self, healing_id: str, wait: float) -> Healing | None:
        """Wait until the record takes a line; return the healing, None when the engine ends."""
        while not self._draining.is_set():
            pause = asyncio.ensure_future(self._clock.sleep(min(wait, _LONGEST)))
            try:
                await settled(pause, self._draining)
            finally:
                await cancelled(pause)
            try:
                healing = self._record.healing(healing_id)
                Story(self._record, healing).unpaused()
                return healing
            except StoreError:
                wait = min(wait * 2, _LONGEST)
        return None
