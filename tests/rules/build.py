"""Rulesets for tests, written the way an operator writes conditions."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import Any

import pytest

from selfheal.clock import ManualClock
from selfheal.duration import parse_duration
from selfheal.model import Condition, Firing, Quantifier, Rule, Ruleset, Throttle, ThrottleKind
from selfheal.rulebook.grammar import parse_condition
from selfheal.rules import RulesetMatcher, build_matcher

HAS_DURABLE = importlib.util.find_spec("durable") is not None


def needs_durable() -> None:
    """Skip where durable-rules can't be had; where CI says it must be there, fail."""
    if not HAS_DURABLE and not os.environ.get("CI"):
        pytest.skip("durable-rules is not installed (it needs a C compiler)")


def rule(name: str, *conditions: str, how: str = "all", timeout: str = "", **throttle: Any) -> Rule:
    """Return a rule; `once_within="5 minutes", by=["event.host"]` throttles it."""
    expressions = tuple(parse_condition(each) for each in conditions)
    limit = parse_duration(timeout) if timeout else None
    condition = Condition(Quantifier(how), expressions, limit)
    return Rule(name, condition, (), throttle=_throttle(throttle) if throttle else None)


def _throttle(written: Mapping[str, Any]) -> Throttle:
    kind = next(each for each in ThrottleKind if each.value in written)
    text = written[kind.value]
    by = tuple(written["by"])
    return Throttle(kind, parse_duration(text), text, by, written.get("threshold"))


class Bench:
    """A matcher on a clock that the test moves."""

    def __init__(
        self, *rules: Rule, engine: str = "python", variables: Any = None, **options: Any
    ) -> None:
        self.clock = ManualClock()
        ruleset = Ruleset("test", ("all",), (), rules, **options)
        self.matcher: RulesetMatcher = build_matcher(ruleset, variables or {}, self.clock, engine)

    def event(self, **body: Any) -> list[tuple[str, dict[str, Any]]]:
        """Send an event; return what fired."""
        return plain(self.matcher.event(body))

    def fact(self, **body: Any) -> list[tuple[str, dict[str, Any]]]:
        """Assert a fact; return what fired."""
        return plain(self.matcher.assert_fact(body))

    def retract(self, *, partial: bool = False, **body: Any) -> list[tuple[str, dict[str, Any]]]:
        """Retract a fact; return what fired."""
        return plain(self.matcher.retract_fact(body, partial=partial))

    async def wait(self, seconds: float) -> list[tuple[str, dict[str, Any]]]:
        """Let time pass; return what fired."""
        await self.clock.advance(seconds)
        return plain(self.matcher.tick())


def plain(firings: list[Firing]) -> list[tuple[str, dict[str, Any]]]:
    """Return firings as (rule, matches), to be compared."""
    return [(firing.rule, {k: dict(v) for k, v in firing.matches.items()}) for firing in firings]
