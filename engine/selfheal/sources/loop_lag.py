"""How late the event loop is: a prober that is itself overloaded must not invent failures."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

from selfheal.clock import Clock

_PERIOD = 0.05


class LoopLag:
    """Measures by how much short sleeps overrun."""

    def __init__(self, clock: Clock, window: float) -> None:
        """Remember the last `window` seconds."""
        self._clock = clock
        self._window = window
        self._seen: deque[tuple[float, float]] = deque()
        self._due = clock.monotonic()

    def worst(self) -> float:
        """Return the longest delay, in seconds, within the window; one still going on counts."""
        now = self._clock.monotonic()
        self._forget(now)
        ongoing = max(0.0, now - self._due)
        return max([ongoing, *(lag for _, lag in self._seen)])

    @contextlib.asynccontextmanager
    async def measuring(self) -> AsyncIterator[None]:
        """Measure in the background as long as the block runs."""
        task = asyncio.create_task(self._measure())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _measure(self) -> None:
        while True:
            self._due = self._clock.monotonic() + _PERIOD
            await self._clock.sleep(_PERIOD)
            now = self._clock.monotonic()
            self._forget(now)
            self._seen.append((now, max(0.0, now - self._due)))

    def _forget(self, now: float) -> None:
        while self._seen and self._seen[0][0] < now - self._window:
            self._seen.popleft()
