"""`not_all` with a timeout: fires when some, but not all, of its messages came in time.

The window starts with the first message. It mirrors the original, which is itself built of small
rules over marks, with what follows from that: a message that comes while its place is taken waits
in memory and may start the next window; a place whose message another rule consumed stays taken
until its time is over, also when the window was completed, and so may start a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfheal.rules.memory import Message
from selfheal.rules.step import JSON, Bell, Keep, Messages, Step


@dataclass(frozen=True, slots=True, eq=False)
class _Mark:
    """A place that is taken, or the start of the window."""

    slot: int
    message: Message
    at: int


class NotAllRule:
    """One `not_all` rule."""

    def __init__(
        self, number: int, name: str, aliases: Sequence[str], timeout: int, bell: Bell
    ) -> None:
        self.name = name
        self._number = number
        self._aliases = aliases
        self._timeout = timeout
        self._bell = bell
        self._waiting: list[dict[int, Message]] = [{} for _ in aliases]
        self._marks: dict[int, _Mark] = {}
        self._start: _Mark | None = None
        self._ends = 0  # completions not yet spent on a window; more than one swallows the next
        self._ends_until = 0
        self._was_complete = False

    def visit(self, step: Step, message: Message | None, slots: list[int]) -> None:
        """See `Watcher`."""
        if message is not None:
            message.held_by(self)
            for slot in slots:
                self._waiting[slot][message.id] = message
        self._expire_ends(step.now)
        if self._start is not None and self._start.at + self._timeout <= step.now:
            self._fire(step, self._start)
        self._expire_marks(step.now)
        while self._advance(step):
            pass

    def forget(self, message: Message) -> None:
        for waiting in self._waiting:
            waiting.pop(message.id, None)

    def state(self, keep: Keep) -> JSON:
        """See `Watcher`."""
        return {
            "waiting": [list(waiting) for waiting in self._waiting],
            "marks": [_saved(mark, keep) for mark in self._marks.values()],
            "start": _saved(self._start, keep) if self._start else None,
            "ends": [self._ends, self._ends_until],
            "was_complete": self._was_complete,
        }

    def restore(self, state: JSON, messages: Messages) -> None:
        """See `Watcher`."""
        for waiting, numbers in zip(self._waiting, state["waiting"], strict=True):
            for number in numbers:
                waiting[number] = messages[number]
                messages[number].held_by(self)
        marks = [_Mark(slot, messages[number], at) for slot, number, at in state["marks"]]
        self._marks = {mark.slot: mark for mark in marks}
        if state["start"]:
            slot, number, at = state["start"]
            self._start = _Mark(slot, messages[number], at)
        self._ends, self._ends_until = state["ends"]
        self._was_complete = state["was_complete"]

    def _fire(self, step: Step, start: _Mark) -> None:
        step.fire(self.name, {self._aliases[start.slot]: start.message})
        self._start = None
        for mark in list(self._marks.values()):
            if mark.at + self._timeout <= step.now:
                self._release(step, mark)

    def _advance(self, step: Step) -> bool:
        """Do the first thing that can be done; False when nothing can."""
        return (
            self._take_place(step)
            or self._begin(step)
            or self._complete(step)
            or self._clear_one(step)
            or self._spend_end()
        )

    def _take_place(self, step: Step) -> bool:
        for slot, waiting in enumerate(self._waiting):
            if slot not in self._marks and waiting:
                self._marks[slot] = _Mark(slot, next(iter(waiting.values())), step.now)
                self._bell.wake_at(self._number, step.now + self._timeout)
                return True
        return False

    def _begin(self, step: Step) -> bool:
        if self._start is not None or not self._marks:
            return False
        newest = list(self._marks.values())[-1]
        self._start = _Mark(newest.slot, newest.message, step.now)
        self._was_complete = False
        self._bell.wake_at(self._number, step.now + self._timeout)
        return True

    def _complete(self, step: Step) -> bool:
        complete = self._start is not None and len(self._marks) == len(self._aliases)
        newly = complete and not self._was_complete
        self._was_complete = complete
        if newly:
            self._ends += 1
            self._ends_until = step.now + self._timeout
        return newly

    def _clear_one(self, step: Step) -> bool:
        if not self._ends:
            return False
        for mark in self._marks.values():
            if mark.message.alive:
                self._release(step, mark)
                return True
        return False

    def _spend_end(self) -> bool:
        if self._start is None or not self._ends:
            return False
        self._start = None
        self._ends -= 1
        return True

    def _release(self, step: Step, mark: _Mark) -> None:
        del self._marks[mark.slot]
        self._was_complete = False
        step.delete(mark.message)

    def _expire_marks(self, now: int) -> None:
        for mark in list(self._marks.values()):
            if mark.at + self._timeout <= now:
                del self._marks[mark.slot]
                self._was_complete = False

    def _expire_ends(self, now: int) -> None:
        if self._ends and self._ends_until <= now:
            self._ends = 0


def _saved(mark: _Mark, keep: Keep) -> list[int]:
    return [mark.slot, keep(mark.message), mark.at]
