"""The healings under way in this process, and how many of them take a place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from selfheal.recovery.move import Finish


class Driven:
    """One healing under way."""

    def __init__(self, healing_id: str) -> None:
        self.healing_id = healing_id
        self.stop = asyncio.Event()
        """Somebody wants it stopped; the record says who."""
        self.nudge = asyncio.Event()
        """The answer to what it waits for may have changed."""
        self.ask_at: float | None = None
        """Unix time at which it is to be nudged."""
        self.end: Finish | None = None
        """How it is to end, once that is known."""
        self.left_out: frozenset[str] = frozenset()
        """Hosts of which it has been told that its rollout leaves them out."""
        self.task: asyncio.Task[None]


class Roster:
    """Who is under way. One that waits for a permission takes no place."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.turn = asyncio.Semaphore(places)
        """To be held while a move is carried out."""
        self.on_room: Callable[[], None] = lambda: None
        """Called when a place becomes free."""
        self._driven: dict[str, Driven] = {}
        self._aside = 0

    @property
    def full(self) -> bool:
        """True when no further healing can be begun."""
        return len(self._driven) - self._aside >= self.places

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Give up the place meanwhile."""
        self._aside += 1
        self.on_room()
        try:
            yield
        finally:
            self._aside -= 1

    def enter(self, healing_id: str) -> Driven:
        driven = self._driven[healing_id] = Driven(healing_id)
        return driven

    def leave(self, healing_id: str) -> None:
        del self._driven[healing_id]

    def get(self, healing_id: str) -> Driven | None:
        return self._driven.get(healing_id)

    def __len__(self) -> int:
        return len(self._driven)

    def __iter__(self) -> Iterator[Driven]:
        return iter(list(self._driven.values()))
