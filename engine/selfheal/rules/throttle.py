"""Throttles: how often a rule that keeps matching may fire, a group of messages at a time.

A throttled rule takes each message it matches: rules after it don't see it. Windows start with
the first message and are not extended. Messages that lack a grouping attribute are a group each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from selfheal.model.rulebook import Throttle
from selfheal.rules.group import group_by
from selfheal.rules.memory import Message
from selfheal.rules.step import JSON, Bell, Keep, Messages, Step

MAX_GROUPS = 10_000
"""Groups a rule remembers; beyond it the oldest is forgotten, and counted."""


@dataclass(slots=True)
class _Group:
    """What is known of one group in its window."""

    until: int
    first: Message | None = None
    count: int = 0


class ThrottledRule:
    """What the three have in common."""

    def __init__(self, number: int, name: str, alias: str, throttle: Throttle, bell: Bell) -> None:
        self.name = name
        self._number = number
        self.dropped = 0
        """Groups forgotten because there were too many."""
        self._alias = alias
        self._window = round(throttle.window * 1e6)
        self._text = window_text(throttle.window_text)
        self._threshold = throttle.threshold or 1
        self._group_of = group_by(throttle.group_by)
        self._bell = bell
        self._groups: dict[Any, _Group] = {}

    def visit(self, step: Step, message: Message | None, slots: list[int]) -> None:
        """See `Watcher`."""
        self._end_windows(step.now)
        if message is not None:
            self._take(step, message, self._group_of(message.body))

    def forget(self, message: Message) -> None:
        """It keeps none: what it needs of a message it has noted."""

    @property
    def remembered(self) -> int:
        """How many groups are in their window."""
        return len(self._groups)

    def state(self, keep: Keep) -> JSON:
        """See `Watcher`."""
        return {
            "groups": [
                [key, group.until, keep(group.first) if group.first else 0, group.count]
                for key, group in self._groups.items()
            ],
            "dropped": self.dropped,
        }

    def restore(self, state: JSON, messages: Messages) -> None:
        """See `Watcher`."""
        self.dropped = state["dropped"]
        for key, until, first, count in state["groups"]:
            group = _Group(until, messages[first] if first else None, count)
            self._groups[None if key is None else tuple(key)] = group

    def _take(self, step: Step, message: Message, key: Any) -> None:
        raise NotImplementedError

    def _end_windows(self, now: int) -> None:
        # All windows are equally long, so they end in the order in which they began.
        while self._groups and (first := next(iter(self._groups.items())))[1].until <= now:
            del self._groups[first[0]]

    def _open(self, key: Any, now: int, first: Message | None = None) -> _Group:
        if len(self._groups) >= MAX_GROUPS:
            self.dropped += 1
            del self._groups[next(iter(self._groups))]
        group = self._groups[key] = _Group(now + self._window, first)
        return group


class OnceWithin(ThrottledRule):
    """Fires at the first message of a group, then not again until the window has passed."""

    def _take(self, step: Step, message: Message, key: Any) -> None:
        if key not in self._groups:
            if key is not None:
                self._open(key, step.now)
            message.annotate({"once_within_time_window": self._text})
            step.fire(self.name, {self._alias: message})
        step.delete(message)


class AccumulateWithin(ThrottledRule):
    """Fires at the threshold-th message of a group within the window, then counts anew."""

    def _take(self, step: Step, message: Message, key: Any) -> None:
        if key is None:
            return  # such messages can't be counted: the rules after this one see them
        group = self._groups.get(key) or self._open(key, step.now)
        group.count += 1
        if group.count >= self._threshold:
            del self._groups[key]
            note = {"accumulate_within_time_window": self._text, "threshold": self._threshold}
            message.annotate(note)
            step.fire(self.name, {self._alias: message})
        step.delete(message)


class OnceAfter(ThrottledRule):
    """Fires when the window has passed, with the first message of each group that came."""

    _due: int | None = None

    def state(self, keep: Keep) -> JSON:
        """See `Watcher`."""
        return {**super().state(keep), "due": self._due}

    def restore(self, state: JSON, messages: Messages) -> None:
        """See `Watcher`."""
        super().restore(state, messages)
        self._due = state["due"]

    def visit(self, step: Step, message: Message | None, slots: list[int]) -> None:
        """See `Watcher`."""
        if self._due is not None and self._due <= step.now:
            self._fire(step)
        if message is not None:
            self._take(step, message, self._group_of(message.body))

    def _take(self, step: Step, message: Message, key: Any) -> None:
        if self._due is None:
            self._due = step.now + self._window
            self._bell.wake_at(self._number, self._due)
        key = ("alone", message.id) if key is None else key
        # The groups are reported by the time of their last message.
        group = self._groups.pop(key, None) or self._open(key, step.now, message)
        self._groups[key] = group
        group.count += 1
        step.delete(message)

    def _fire(self, step: Step) -> None:
        messages = []
        for group in self._groups.values():
            if group.first is not None:  # it always has one: this rule opens no group without
                note = {"once_after_time_window": self._text, "events_in_window": group.count}
                group.first.annotate(note)
                messages.append(group.first)
        single = len(messages) == 1
        step.fire(self.name, {"m" if single else f"m_{n}": m for n, m in enumerate(messages)})
        self._groups.clear()
        self._due = None


def window_text(text: str) -> str:
    """Return the window as the original writes it: `5 minutes` becomes `5 MINUTES`."""
    if long := re.fullmatch(r"(\d+) *(milliseconds?|seconds?|minutes?|hours?|days?)", text.strip()):
        unit = long[2].upper()
        return f"{long[1]} {unit if unit.endswith('S') else unit + 'S'}"
    return text.upper()
