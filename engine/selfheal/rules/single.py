"""Rules over one message: a plain condition, `any`, and `is not defined`."""

from __future__ import annotations

from collections.abc import Sequence

from selfheal.rules.memory import Message
from selfheal.rules.step import JSON, Bell, Keep, Messages, Step


class SingleRule:
    """Fires at once, for the first of its patterns that holds."""

    def __init__(self, name: str, aliases: Sequence[str]) -> None:
        self.name = name
        self._aliases = aliases

    def visit(self, step: Step, message: Message | None, slots: list[int]) -> None:
        if message is not None:
            step.fire(self.name, {self._aliases[slots[0]]: message})

    def forget(self, message: Message) -> None:
        """It keeps none."""

    def state(self, keep: Keep) -> JSON:
        """See `Watcher`; it remembers nothing."""
        return {}

    def restore(self, state: JSON, messages: Messages) -> None:
        """See `Watcher`."""


class AbsenceRule:
    """`fact.x is not defined` alone: fires when no message that has the field is left.

    So it fires once at the start, and again each time the last such message goes.
    """

    def __init__(self, number: int, name: str, bell: Bell) -> None:
        self.name = name
        self._number = number
        self._bell = bell
        self._present: set[int] = set()
        self._fired = False
        bell.wake(number)

    def note(self, message: Message) -> None:
        """A message that has the field is here, even if a rule before this one takes it."""
        self._present.add(message.id)
        message.held_by(self)
        self._fired = False

    def visit(self, step: Step, message: Message | None, slots: list[int]) -> None:
        if not self._present and not self._fired:
            self._fired = True
            step.fire(self.name, {})

    def forget(self, message: Message) -> None:
        self._present.discard(message.id)
        if not self._present:
            self._bell.wake(self._number)

    def state(self, keep: Keep) -> JSON:
        """See `Watcher`."""
        return {"present": sorted(self._present), "fired": self._fired}

    def restore(self, state: JSON, messages: Messages) -> None:
        """See `Watcher`."""
        self._fired = state["fired"]
        for number in state["present"]:
            self._present.add(number)
            messages[number].held_by(self)
