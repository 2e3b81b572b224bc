"""The truth table: each condition against each event."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.conformance_kinds.verdict import Verdict, agree, differ, on_purpose
from selfheal.clock import ManualClock
from selfheal.errors import SelfhealError
from selfheal.model import Condition, Quantifier, Rule, Ruleset
from selfheal.rulebook.grammar import parse_condition
from selfheal.rulebook.variables import bind
from selfheal.rules import build_matcher

_ON_PURPOSE = (
    (
        re.compile(r"\bnot[\s(]+not\b"),
        "the original reads a double negation as a single one; we read it as none",
    ),
    (
        re.compile(r"\bnot\b.*\bis (not )?defined"),
        "the original loses the negation of `is defined`; we keep it",
    ),
)
_ENGINE_ERROR = "the original fails on it; we answer"


def replay(folder: Path, level: int) -> Iterator[Verdict]:
    """Yield a verdict for each condition; there is one level."""
    events = json.loads((folder / "conditions" / "events.json").read_text("utf-8"))
    variables = json.loads((folder / "conditions" / "vars.json").read_text("utf-8"))
    for path in sorted((folder / "conditions").glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            yield _compare(json.loads(line), events, variables)


def _compare(
    record: Mapping[str, Any], events: Sequence[Any], variables: Mapping[str, Any]
) -> Verdict:
    case = record["condition"]
    try:
        matches = _matches(case, events, variables)
    except SelfhealError as error:
        refused = "parse_error" in record or "engine_error" in record
        return agree(case) if refused else differ(case, f"we refuse it: {error}")
    if "parse_error" in record:
        return differ(case, "we accept what the original rejects")
    if matches == record["matches"]:
        return agree(case)
    if reason := _reason(record, matches):
        return on_purpose(case, reason)
    surplus = [events[n] for n in matches if n not in record["matches"]]
    missing = [events[n] for n in record["matches"] if n not in matches]
    return differ(case, f"we match {surplus} and do not match {missing}")


def _matches(text: str, events: Sequence[Any], variables: Mapping[str, Any]) -> list[int]:
    condition = bind(Condition(Quantifier.ALL, (parse_condition(text),)), variables)
    ruleset = Ruleset("conditions", ("all",), (), (Rule("r", condition, ()),))

    def fires(event: Any) -> bool:
        matcher = build_matcher(ruleset, variables, ManualClock(), "python")
        return bool(matcher.event(event))

    return [number for number, event in enumerate(events) if fires(event)]


def _reason(record: Mapping[str, Any], matches: Sequence[int]) -> str:
    failed = {number for numbers in record.get("errors", {}).values() for number in numbers}
    if "engine_error" in record or set(matches) ^ set(record["matches"]) <= failed:
        return _ENGINE_ERROR
    return next((why for shape, why in _ON_PURPOSE if shape.search(record["condition"])), "")
