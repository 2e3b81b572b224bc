"""Room in front of a ruleset: bounded by count and by bytes, first come first served."""

from __future__ import annotations

import asyncio
from collections import deque


class Room:
    """Who finds no room waits in line; a single thing always fits, however large it is."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._count = 0
        self._bytes = 0
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def enter(self, size: int) -> None:
        """Return when there is room, and take it."""
        if not self._line and self._fits(size):
            self.enter_now(size)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._line = deque(one for one in self._line if one[1] is not turn)
                self._admit()
            else:
                self.leave(size)  # let in and cancelled at the same time
            raise

    def enter_now(self, size: int) -> None:
        """Take room, whether there is any or not."""
        self._count += 1
        self._bytes += size

    def leave(self, size: int) -> None:
        """Give room back."""
        self._count -= 1
        self._bytes -= size
        self._admit()

    def open(self) -> None:
        """Let in everybody, from now on."""
        self._most = self._most_bytes = 1 << 62
        self._admit()

    def _admit(self) -> None:
        while self._line and self._fits(self._line[0][0]):
            size, turn = self._line.popleft()
            if not turn.done():
                self.enter_now(size)
                turn.set_result(None)

    def _fits(self, size: int) -> bool:
        if not self._count:
            return True
        return self._count < self._most and self._bytes + size <= self._most_bytes
