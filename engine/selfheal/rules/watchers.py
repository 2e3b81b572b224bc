"""Which kind of watcher a rule needs."""

from __future__ import annotations

from collections.abc import Sequence

from selfheal.errors import ConditionError
from selfheal.model.condition import Quantifier
from selfheal.model.rulebook import Rule, ThrottleKind
from selfheal.rules.joined import JoinedRule
from selfheal.rules.not_all import NotAllRule
from selfheal.rules.pattern import Pattern, is_absence
from selfheal.rules.single import AbsenceRule, SingleRule
from selfheal.rules.step import Bell, Watcher
from selfheal.rules.throttle import AccumulateWithin, OnceAfter, OnceWithin, ThrottledRule

_THROTTLES: dict[ThrottleKind, type[ThrottledRule]] = {
    ThrottleKind.ONCE_WITHIN: OnceWithin,
    ThrottleKind.ONCE_AFTER: OnceAfter,
    ThrottleKind.ACCUMULATE_WITHIN: AccumulateWithin,
}


def watch(
    rule: Rule, number: int, patterns: Sequence[Pattern], bell: Bell, *, timed: bool
) -> Watcher:
    """Return the watcher of a rule; raises `ConditionError` for what can't be combined.

    `timed`: some rule of the ruleset has a throttle or a timeout.
    """
    aliases = [pattern.alias for pattern in patterns]
    quantifier, timeout = rule.condition.quantifier, rule.condition.timeout
    if rule.throttle is not None:
        absent = is_absence(rule.condition.expressions[0])
        if len(patterns) > 1 or absent or quantifier is Quantifier.NOT_ALL:
            raise ConditionError("a throttle needs a condition on one event")
        return _THROTTLES[rule.throttle.kind](number, rule.name, aliases[0], rule.throttle, bell)
    if quantifier is Quantifier.NOT_ALL:
        if timeout is None:
            raise ConditionError("not_all needs a timeout", hint="add timeout: 5 minutes")
        return NotAllRule(number, rule.name, aliases, round(timeout * 1e6), bell)
    if len(patterns) == 1 and is_absence(rule.condition.expressions[0]):
        return AbsenceRule(number, rule.name, bell)
    if len(patterns) == 1 or quantifier is Quantifier.ANY:
        return SingleRule(rule.name, aliases)
    limit = None if timeout is None else round(timeout * 1e6)
    return JoinedRule(number, rule.name, patterns, limit, eager=timed)


def is_timed(rule: Rule) -> bool:
    """Tell whether time plays a part in the rule."""
    return rule.throttle is not None or rule.condition.timeout is not None
