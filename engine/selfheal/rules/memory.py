"""Working memory: the messages that may still matter, each for as long as its time to live."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from selfheal.model import annotated

MAX_MESSAGES = 20_000
"""Events, and again facts, that are kept; beyond it the oldest is dropped, and counted."""


class Holder(Protocol):
    """A rule that keeps a message."""

    def forget(self, message: Message) -> None:
        """The message is gone: consumed, retracted, expired or dropped."""
        ...


@dataclass(slots=True, eq=False)
class Message:
    """An event or a fact on its way through the rules."""

    id: int
    """Counted up in order of arrival."""
    body: Mapping[str, Any]
    """What conditions see."""
    is_event: bool
    """Events are consumed and expire, facts stand until they are retracted."""
    event_id: str
    """Id in the journal, of a fact as well; empty when there is no journal."""
    at: int
    """Monotonic microseconds of arrival."""
    alive: bool = True
    """False as soon as it is gone."""
    holders: list[Holder] = field(default_factory=list)
    """The rules that keep it."""
    note: Mapping[str, Any] | None = None
    """What a throttle added to the body."""

    def held_by(self, holder: Holder) -> None:
        """Note that a rule keeps it and wants to hear of its end."""
        if holder not in self.holders:
            self.holders.append(holder)

    def annotate(self, note: Mapping[str, Any]) -> None:
        """Write into its meta why it fires when it does; the sender's object is not touched."""
        self.note = note
        self.body = annotated(self.body, note)


class WorkingMemory:
    """The messages of one ruleset."""

    def __init__(self, ttl: int) -> None:
        self._ttl = ttl
        self._events: dict[int, Message] = {}
        self._facts: dict[int, Message] = {}
        self._expiry: list[tuple[int, int]] = []
        self._count = 0
        self.dropped = 0
        """Messages dropped because too many were kept."""

    def add(self, body: Mapping[str, Any], now: int, *, event_id: str, is_event: bool) -> Message:
        """Take in a message."""
        self._count += 1
        message = Message(self._count, body, is_event, event_id, now)
        self._store(message)[message.id] = message
        return message

    def keep(self, message: Message) -> None:
        """After the step: let go of an event that no rule keeps; see to the limit."""
        store = self._store(message)
        if message.is_event:
            if not message.holders:
                store.pop(message.id, None)
                return
            heapq.heappush(self._expiry, (message.at + self._ttl, message.id))
        if len(store) > MAX_MESSAGES:
            self.dropped += 1
            self.remove(next(iter(store.values())))

    def remove(self, message: Message) -> None:
        """The message is gone; each rule that keeps it hears so."""
        if not message.alive:
            return
        message.alive = False
        self._store(message).pop(message.id, None)
        for holder in message.holders:
            holder.forget(message)
        message.holders.clear()

    def expire(self, now: int) -> None:
        """Remove the events whose time to live has passed."""
        while self._expiry and self._expiry[0][0] <= now:
            _, number = heapq.heappop(self._expiry)
            if number in self._events:
                self.remove(self._events[number])

    def next_expiry(self) -> int | None:
        """Return when the next event expires, in microseconds."""
        while self._expiry and self._expiry[0][1] not in self._events:
            heapq.heappop(self._expiry)
        return self._expiry[0][0] if self._expiry else None

    @property
    def count(self) -> int:
        """How many messages were ever taken in: the newest has this id."""
        return self._count

    def restore(self, messages: Iterable[Message], count: int, dropped: int) -> None:
        """Take in what an earlier memory held, oldest first."""
        for message in messages:
            self._store(message)[message.id] = message
            if message.is_event:
                heapq.heappush(self._expiry, (message.at + self._ttl, message.id))
        self._count, self.dropped = count, dropped

    def facts(self) -> list[Message]:
        """The facts that stand, oldest first."""
        return list(self._facts.values())

    def __len__(self) -> int:
        return len(self._events) + len(self._facts)

    def __iter__(self) -> Iterator[Message]:
        return iter(sorted([*self._events.values(), *self._facts.values()], key=lambda m: m.id))

    def _store(self, message: Message) -> dict[int, Message]:
        return self._events if message.is_event else self._facts
