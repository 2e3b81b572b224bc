"""At start: a matcher remembers again what it knew, as if the engine had never been away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from selfheal.daemon.ruleset_clock import RulesetClock, microseconds
from selfheal.daemon.timed_matcher import TimedMatcher
from selfheal.errors import StoreError
from selfheal.model import MatcherState
from selfheal.ports import Journal, Matcher

log = logging.getLogger(__name__)

AT_ONCE = 1000
"""Inputs that are read at once when they are shown again."""

_MISFITS = (KeyError, IndexError, ValueError, TypeError, AttributeError, StoreError)
_EDITED = "its rules were changed: half-complete conditions, windows and facts of them are gone"
_DAMAGED = "what its matcher remembered can't be read: conditions, windows and facts begin anew"


@dataclass(frozen=True, slots=True)
class Restored:
    """Where a ruleset goes on."""

    matcher: Matcher
    """It remembers everything up to `turn`."""
    turn: int
    """The last turn on record."""
    note: str = ""
    """What is lost, and why; empty when nothing is."""


class Memory:
    """What the matcher of one ruleset remembers, on record."""

    def __init__(self, ruleset: str, digest: str, journal: Journal, clock: RulesetClock) -> None:
        self._ruleset = ruleset
        self._digest = digest
        self._journal = journal
        self._clock = clock
        self._saved_turn = 0

    def restore(self, matcher: Matcher, build: Callable[[], Matcher]) -> Restored:
        """Let a new matcher take up where the record ends; time that passed meanwhile counts."""
        self._clock.start_at(self._moment_now())
        saved = self._journal.matcher_state(self._ruleset)
        turn = self._journal.last_turn(self._ruleset)
        if saved is None or saved.digest != self._digest:
            return self._begin(matcher, turn, _EDITED if saved else "")
        try:
            self._take_up(matcher, saved, turn)
        except _MISFITS:
            log.exception("ruleset %s: its matcher's state does not fit", self._ruleset)
            matcher.close()
            return self._begin(build(), turn, _DAMAGED)
        return Restored(matcher, turn)

    def save(self, matcher: Matcher, turn: int) -> None:
        """Keep what it remembers after that turn; every turn up to it must be on record."""
        state, event_ids = matcher.state()
        self._journal.save_matcher(
            MatcherState(
                self._ruleset,
                self._digest,
                turn,
                self._clock.shown,
                self._clock.now(),
                state,
                tuple(event_ids),
            )
        )
        self._saved_turn = turn

    def is_old(self, matcher: Matcher, turn: int) -> bool:
        """Tell whether so much was matched since that a restart would take long."""
        since = turn - self._saved_turn
        return since > 1000 and since > 4 * matcher.size

    def _begin(self, matcher: Matcher, turn: int, note: str) -> Restored:
        self._clock.show(self._clock.read())
        self.save(matcher, turn)
        return Restored(matcher, turn, note)

    def _take_up(self, matcher: Matcher, saved: MatcherState, turn: int) -> None:
        matcher.restore(saved.state, self._journal.bodies(saved.event_ids))
        self._clock.show(saved.moment)
        timed = TimedMatcher(matcher, self._clock)
        for first in range(saved.turn, turn, AT_ONCE):
            for event in self._journal.matched_after(self._ruleset, first, AT_ONCE):
                timed.replay(event)
        self._saved_turn = saved.turn

    def _moment_now(self) -> int:
        """Go on from the newest moment on record; a wall clock that was set back adds nothing."""
        newest = self._journal.last_moment(self._ruleset)
        if newest is None:
            return 0
        moment, at = newest
        return moment + max(0, microseconds(self._clock.now() - at))
