"""A matcher whose every step has its moment: what it remembers follows from the journal alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

from selfheal.daemon.ruleset_clock import RulesetClock, microseconds
from selfheal.model import Event, Firing, InputKind
from selfheal.ports import JSON, Matcher

log = logging.getLogger(__name__)
T = TypeVar("T")

CANNOT = "it could not be matched; see the log"


class TimedMatcher:
    """Runs timers at their own time, not when somebody gets to it, and shows each input at its."""

    def __init__(self, matcher: Matcher, clock: RulesetClock) -> None:
        self._matcher = matcher
        self._clock = clock

    def ticks(self, until: int) -> Iterator[list[Firing]]:
        """Let time pass up to that moment; yield what each timer fires."""
        until = max(until, self._clock.shown)
        while (due := self._matcher.due()) is not None and microseconds(due) <= until:
            self._clock.show(microseconds(due))
            firings, _ = _guarded(self._matcher.tick)
            yield firings

    def show(self, event: Event) -> tuple[list[Firing], str]:
        """Show one input, timers first; return what fires, and why it could not be matched.

        One that breaks the matcher must not stop the others."""
        self._clock.show(event.moment)
        return _guarded(lambda: self._shown(event))

    def replay(self, event: Event) -> None:
        """Show again what was matched before: what fired then is on record."""
        for _ in self.ticks(event.moment):
            pass
        self.show(event)

    def _shown(self, event: Event) -> list[Firing]:
        match event.kind:
            case InputKind.FACT:
                return self._matcher.assert_fact(event.body, event.id)
            case InputKind.RETRACT:
                partial = bool(event.meta.get("partial", True))
                return self._matcher.retract_fact(event.body, partial=partial)
            case InputKind.TICK:
                return []
        return self._matcher.event(event.body, event.id)

    def facts(self) -> list[JSON]:
        """Return the facts that stand."""
        return self._matcher.facts()


def _guarded(step: Callable[[], list[Firing]]) -> tuple[list[Firing], str]:
    try:
        return step(), ""
    except Exception:
        log.exception("an event or a timer could not be matched")
        return [], CANNOT
