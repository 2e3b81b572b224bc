"""The matcher of one ruleset: shows each message to the rules it concerns, collects what fires."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

from selfheal.clock import Clock
from selfheal.model.firing import Firing, Matched
from selfheal.model.rulebook import Ruleset
from selfheal.rules.engines import open_join_engine
from selfheal.rules.index import Entry, PatternIndex
from selfheal.rules.joined import JoinedRule
from selfheal.rules.kept_messages import KeptMessages, restored_messages
from selfheal.rules.memory import Message, WorkingMemory
from selfheal.rules.pattern import patterns_of
from selfheal.rules.single import AbsenceRule
from selfheal.rules.step import Match, Step, Watcher
from selfheal.rules.throttle import ThrottledRule
from selfheal.rules.values import identity
from selfheal.rules.watchers import is_timed, watch

JSON = Mapping[str, Any]

_NOT_COMPARED = ("meta",)  # the engine itself adds it to facts


def build_matcher(
    ruleset: Ruleset, variables: Mapping[str, Any], clock: Clock, engine: str = "auto"
) -> RulesetMatcher:
    """Return the matcher (`ports.Matcher`) of one ruleset.

    `engine` is `auto`, `durable` or `python`. Raises `ConditionError` for a rule that can't be
    compiled, and what `open_join_engine` raises.
    """
    return RulesetMatcher(ruleset, variables, clock, engine)


class RulesetMatcher:
    """`ports.Matcher` of one ruleset. Time comes from the clock alone."""

    def __init__(
        self, ruleset: Ruleset, variables: Mapping[str, Any], clock: Clock, engine: str
    ) -> None:
        self._ruleset = ruleset
        self._clock = clock
        self._memory = WorkingMemory(_microseconds(ruleset.default_events_ttl))
        self._woken: set[int] = set()
        self._timers: list[tuple[int, int]] = []
        self._watchers: list[Watcher] = []
        entries: list[Entry] = []
        rules = [rule for rule in ruleset.rules if rule.enabled]
        timed = any(is_timed(rule) for rule in rules)
        for number, rule in enumerate(rules):
            patterns = patterns_of(rule.condition, variables)
            entries += [(number, slot, pattern) for slot, pattern in enumerate(patterns)]
            self._watchers.append(watch(rule, number, patterns, self, timed=timed))
        self._index = PatternIndex(entries)
        self._absences = {
            number: each
            for number, each in enumerate(self._watchers)
            if isinstance(each, AbsenceRule)
        }
        self._throttled = [each for each in self._watchers if isinstance(each, ThrottledRule)]
        joined = [each for each in self._watchers if isinstance(each, JoinedRule)]
        self._engine = open_join_engine([rule.shape for rule in joined], engine)
        for rule_of_many in joined:
            rule_of_many.attach(self._engine)

    def event(self, body: JSON, event_id: str = "") -> list[Firing]:
        """See `ports.Matcher`."""
        before = self._overdue()
        step = self._show(body, event_id=event_id, is_event=True)
        if step is None:
            return before
        if not self._ruleset.match_multiple_rules:
            step.first_rule_only()
        return before + self._firings(step)

    def assert_fact(self, fact: JSON, event_id: str = "") -> list[Firing]:
        """See `ports.Matcher`."""
        before = self._overdue()
        step = self._show(fact, event_id=event_id, is_event=False)
        return before if step is None else before + self._firings(step)

    def retract_fact(self, fact: JSON, *, partial: bool) -> list[Firing]:
        """See `ports.Matcher`. As in the original, kept events are matched as well; `meta` is
        compared only when `partial`, and `fact` may say more than what it retracts."""
        before = self._overdue()
        gone = [each for each in self._memory if covers(fact, each.body, partial=partial)]
        for message in gone:
            self._memory.remove(message)
        if not gone or not self._woken:
            return before
        step = Step(self._now(), self._memory)
        self._visit(step, None, [])
        # What fires because something went shows what went.
        step.matches = [Match(m.rule, {**m.messages, "m": gone[0]}) for m in step.matches]
        return before + self._firings(step)

    def facts(self) -> list[JSON]:
        """See `ports.Matcher`."""
        return [message.body for message in self._memory.facts()]

    def due(self) -> float | None:
        """See `ports.Matcher`."""
        return self._clock.monotonic() if self._woken else self._next_time()

    def tick(self) -> list[Firing]:
        """See `ports.Matcher`."""
        now = self._now()
        self._memory.expire(now)
        while self._timers and self._timers[0][0] <= now:
            self._woken.add(heapq.heappop(self._timers)[1])
        if not self._woken:
            return []
        step = Step(now, self._memory)
        self._visit(step, None, [])
        return self._firings(step)

    def close(self) -> None:
        """See `ports.Matcher`."""
        self._engine.close()

    @property
    def size(self) -> int:
        """See `ports.Matcher`."""
        return len(self._memory) + sum(rule.remembered for rule in self._throttled)

    def state(self) -> tuple[JSON, list[str]]:
        """See `ports.Matcher`."""
        kept = KeptMessages(self._memory)
        state = {
            "watchers": [each.state(kept.keep) for each in self._watchers],
            "woken": sorted(self._woken),
            "timers": sorted(self._timers),
            "messages": kept.saved(),
            "count": self._memory.count,
            "dropped": self._memory.dropped,
        }
        return state, kept.event_ids()

    def restore(self, state: JSON, bodies: Mapping[str, JSON]) -> None:
        """See `ports.Matcher`."""
        messages = restored_messages(state["messages"], bodies)
        living = [each for each in messages.values() if each.alive]
        self._memory.restore(living, state["count"], state["dropped"])
        for watcher, its_state in zip(self._watchers, state["watchers"], strict=True):
            watcher.restore(its_state, messages)
        self._woken = set(state["woken"])
        self._timers = [(when, number) for when, number in state["timers"]]  # sorted is a heap

    @property
    def dropped(self) -> Mapping[str, int]:
        """What the limits on memory cost so far: messages, throttle groups, combinations."""
        joined = [each for each in self._watchers if isinstance(each, JoinedRule)]
        return {
            "messages": self._memory.dropped,
            "groups": sum(rule.dropped for rule in self._throttled),
            "combinations": sum(rule.given_up for rule in joined),
        }

    def describe(self) -> str:
        """One line on the join engine at work."""
        return self._engine.describe()

    def wake(self, number: int) -> None:
        """See `Bell`."""
        self._woken.add(number)

    def wake_at(self, number: int, when: int) -> None:
        """See `Bell`."""
        heapq.heappush(self._timers, (when, number))

    def _next_time(self) -> float | None:
        timer = self._timers[0][0] if self._timers else None
        times = [time for time in (timer, self._memory.next_expiry()) if time is not None]
        return min(times) / 1e6 if times else None

    def _overdue(self) -> list[Firing]:
        due = self._next_time()
        return self.tick() if due is not None and due <= self._clock.monotonic() else []

    def _show(self, body: JSON, *, event_id: str, is_event: bool) -> Step | None:
        hits = self._index.find(body)
        if is_event and not hits and not self._woken:
            return None
        now = self._now()
        message = self._memory.add(body, now, event_id=event_id, is_event=is_event)
        step = Step(now, self._memory)
        for number, _ in hits if self._absences else ():
            if number in self._absences:
                self._absences[number].note(message)
        self._visit(step, message, hits)
        if message.alive:
            self._memory.keep(message)
        return step

    def _visit(
        self, step: Step, message: Message | None, hits: list[tuple[int, list[int]]]
    ) -> None:
        for number, slots in hits:
            self._visit_woken(step, number)
            if message is None or not message.alive:
                break
            self._woken.discard(number)
            self._watchers[number].visit(step, message, slots)
        self._visit_woken(step, len(self._watchers))

    def _visit_woken(self, step: Step, below: int) -> None:
        while self._woken and (number := min(self._woken)) < below:
            self._woken.discard(number)
            self._watchers[number].visit(step, None, [])

    def _firings(self, step: Step) -> list[Firing]:
        firings = [self._firing(match) for match in step.matches]
        if not self._ruleset.match_multiple_rules:
            step.consume()
        return firings

    def _firing(self, match: Match) -> Firing:
        events = {m.event_id for m in match.messages.values() if m.is_event and m.event_id}
        return Firing(
            ruleset=self._ruleset.name,
            rule=match.rule,
            matches={alias: message.body for alias, message in match.messages.items()},
            at=self._clock.now(),
            event_ids=tuple(sorted(events)),
            sources={
                alias: Matched(message.event_id, message.note)
                for alias, message in match.messages.items()
            },
        )

    def _now(self) -> int:
        return _microseconds(self._clock.monotonic())


def covers(fact: JSON, kept: JSON, *, partial: bool) -> bool:
    """Tell whether retracting `fact` retracts what is kept; values are compared with their type.

    `partial`: what is kept has all of `fact`; else `fact` has all of what is kept.
    """
    try:
        if partial:
            return all(key in kept and _alike(kept[key], value) for key, value in fact.items())
        return all(
            key in fact and _alike(value, fact[key])
            for key, value in kept.items()
            if key not in _NOT_COMPARED
        )
    except RecursionError:
        return False


def _alike(left: Any, right: Any) -> bool:
    return identity(left) == identity(right)


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)
