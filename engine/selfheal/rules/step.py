"""One step: a message, a retraction or the passing of time, shown to the rules in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Protocol

from selfheal.rules.memory import Message, WorkingMemory


@dataclass(frozen=True, slots=True)
class Match:
    """One firing in the making; bodies are read only when the step is over."""

    rule: str
    """Name of the rule."""
    messages: Mapping[str, Message]
    """Alias to message."""


@dataclass(slots=True)
class Step:
    """What the rules see of the moment and what they did in it."""

    now: int
    """Monotonic microseconds."""
    memory: WorkingMemory
    """Where messages are kept."""
    matches: list[Match] = field(default_factory=list)
    """In order of firing."""
    _used: dict[int, Message] = field(default_factory=dict)

    def fire(self, rule: str, messages: Mapping[str, Message]) -> None:
        """A rule fires; its events are consumed when the step is over."""
        self.matches.append(Match(rule, messages))
        self.use(messages.values())

    def use(self, messages: Iterable[Message]) -> None:
        """Consume the events among the messages when the step is over."""
        self._used.update((message.id, message) for message in messages if message.is_event)

    def delete(self, message: Message) -> None:
        """Take the message out at once: later rules don't see it."""
        self.memory.remove(message)

    def consume(self) -> None:
        """Take the used events out."""
        for message in self._used.values():
            self.memory.remove(message)

    def first_rule_only(self) -> None:
        """Keep the firings of the rule that fired first."""
        name = self.matches[0].rule if self.matches else ""
        self.matches = list(takewhile(lambda match: match.rule == name, self.matches))


JSON = Mapping[str, Any]
Keep = Callable[[Message], int]
"""See to it that the message is part of the state; returns its id."""
Messages = Mapping[int, Message]
"""The messages of a state, by id."""


class Watcher(Protocol):
    """One rule at work."""

    name: str
    """Name of the rule."""

    def visit(self, step: Step, message: Message | None, slots: list[int]) -> None:
        """See the message, which passed the tests of `slots`; without one: see to the time."""
        ...

    def forget(self, message: Message) -> None:
        """A message that this rule keeps is gone."""
        ...

    def state(self, keep: Keep) -> JSON:
        """Return what it remembers, as JSON; each message it refers to is handed to `keep`."""
        ...

    def restore(self, state: JSON, messages: Messages) -> None:
        """Take up, right after it was made, what `state` returned."""
        ...


class Bell(Protocol):
    """How a rule asks to be visited without a message; rules are known by their number."""

    def wake(self, number: int) -> None:
        """Visit the rule in the next step."""
        ...

    def wake_at(self, number: int, when: int) -> None:
        """Visit the rule when that time has come, in monotonic microseconds."""
        ...
