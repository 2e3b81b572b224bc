"""Several events on a clock that is moved by hand: facts, joins, timeouts, throttles.

Each recording is replayed with every join engine that can run here; all must agree.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.conformance_kinds.verdict import Verdict, agree, differ, on_purpose
from selfheal.clock import ManualClock
from selfheal.duration import parse_duration
from selfheal.errors import SelfhealError
from selfheal.model import Condition, Firing, Quantifier, Rule, Ruleset, Throttle, ThrottleKind
from selfheal.rulebook.grammar import parse_condition
from selfheal.rulebook.variables import bind
from selfheal.rules import RulesetMatcher, build_matcher

_VARIABLES = {"limit": 3}
"""What `vars` held while the sequences were recorded; the recordings don't say it."""

_DIFFERENCES: Mapping[str, str] = {}
"""Name of a recording to the reason why we do otherwise."""


def replay(folder: Path, level: int) -> Iterator[Verdict]:
    """Yield a verdict for each recording; every level compares all that was recorded."""
    engines = ["python"] + (["durable"] if importlib.util.find_spec("durable") else [])
    for path in sorted((folder / "sequences").glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            record = json.loads(line)
            details = [detail for engine in engines if (detail := _compare(record, engine))]
            yield _verdict(record["name"], details)


def _verdict(case: str, details: list[str]) -> Verdict:
    if not details:
        return agree(case)
    if case in _DIFFERENCES:
        return on_purpose(case, _DIFFERENCES[case])
    return differ(case, "; ".join(details))


def _compare(record: Mapping[str, Any], engine: str) -> str:
    clock = ManualClock()
    try:
        ruleset = ruleset_of(record)
        matcher = build_matcher(ruleset, record.get("vars", _VARIABLES), clock, engine)
    except SelfhealError as error:
        return "" if "error" in record else f"refused: {error}"
    try:
        for number, step in enumerate(record["steps"]):
            fired = [[each.rule, dict(each.matches)] for each in _run(matcher, clock, step)]
            if fired != step["fired"]:
                return f"{engine}, step {number}: {fired} instead of {step['fired']}"
    finally:
        matcher.close()
    return ""


def _run(matcher: RulesetMatcher, clock: ManualClock, step: Mapping[str, Any]) -> list[Firing]:
    match step:
        case {"event": event}:
            return matcher.event(event)
        case {"fact": fact}:
            return matcher.assert_fact(fact)
        case {"retract": fact}:
            return matcher.retract_fact(fact, partial=bool(step.get("partial")))
        case {"advance": [amount, unit]}:
            asyncio.run(clock.advance(parse_duration(f"{amount} {unit}")))
            return matcher.tick()
    raise ValueError(f"unknown step {step}")


def ruleset_of(record: Mapping[str, Any]) -> Ruleset:
    """Return the ruleset of a recording; raises `SelfhealError` for a condition it can't take."""
    options = record.get("ruleset", {})
    return Ruleset(
        name=record["name"],
        hosts=("all",),
        sources=(),
        rules=tuple(_rule(rule, record.get("vars", _VARIABLES)) for rule in record["rules"]),
        default_events_ttl=parse_duration(options.get("default_events_ttl", "2 hours")),
        match_multiple_rules=bool(options.get("match_multiple_rules", False)),
    )


def _rule(rule: Mapping[str, Any], variables: Mapping[str, Any]) -> Rule:
    return Rule(
        name=rule["name"],
        condition=bind(_condition(rule["condition"]), variables),
        actions=(),
        enabled=rule.get("enabled", True),
        throttle=_throttle(rule["throttle"]) if "throttle" in rule else None,
    )


def _condition(written: Any) -> Condition:
    if not isinstance(written, Mapping):
        return Condition(Quantifier.ALL, (parse_condition(_text(written)),))
    quantifier = next(each for each in Quantifier if each.value in written)
    expressions = tuple(parse_condition(_text(each)) for each in written[quantifier.value])
    timeout = written.get("timeout")
    return Condition(quantifier, expressions, parse_duration(timeout) if timeout else None)


def _text(written: Any) -> str:
    return str(written).lower() if isinstance(written, bool) else str(written)


def _throttle(written: Mapping[str, Any]) -> Throttle:
    kind = next(each for each in ThrottleKind if each.value in written)
    return Throttle(
        kind=kind,
        window=parse_duration(written[kind.value]),
        window_text=written[kind.value],
        group_by=tuple(written["group_by_attributes"]),
        threshold=written.get("threshold"),
    )
