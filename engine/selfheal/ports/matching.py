"""Events in, firings out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from selfheal.model import (
    Firing,
)
from selfheal.ports.json import JSON


class EventQueue(Protocol):
    """What a source puts its events into: ansible-rulebook's plugin contract.

    A source is `async def main(queue: EventQueue, args: dict) -> None`.
    """

    async def put(self, event: JSON) -> None:
        """Hand over one event; returns when it is taken in (journalled), so a source that
        acknowledges to somebody does so after this. Waits while the engine is behind."""
        ...


class Matcher(Protocol):
    """The rules of one ruleset. Not thread-safe; never blocks for longer than a second."""

    def event(self, body: JSON, event_id: str = "") -> list[Firing]:
        """Match one event; return what fires, in the order in which to act."""
        ...

    def assert_fact(self, fact: JSON, event_id: str = "") -> list[Firing]:
        """Keep a fact until it is retracted; return what fires."""
        ...

    def retract_fact(self, fact: JSON, *, partial: bool) -> list[Firing]:
        """Forget the facts equal to `fact`, or with `partial` those that contain it."""
        ...

    def facts(self) -> list[JSON]:
        """The facts that stand."""
        ...

    def due(self) -> float | None:
        """Monotonic time of the next timer (timeout, throttle, ttl), now when there is something
        to do already; None when there is none."""
        ...

    def tick(self) -> list[Firing]:
        """Let every timer run whose time has come; return what fires."""
        ...

    @property
    def size(self) -> int:
        """How many messages and groups it remembers."""
        ...

    def state(self) -> tuple[JSON, list[str]]:
        """Return all it remembers, as JSON, and the ids of the events this refers to.

        Times in it are the clock's monotonic ones: who restores it goes on from there."""
        ...

    def restore(self, state: JSON, bodies: Mapping[str, JSON]) -> None:
        """Take up what `state` of a matcher of the same rules returned, before anything else.

        `bodies` are the events referred to, by id. Raises KeyError, ValueError or TypeError for
        a state that does not fit; the matcher is of no use then."""
        ...

    def close(self) -> None:
        """Stop helpers (the join engine's child)."""
        ...
