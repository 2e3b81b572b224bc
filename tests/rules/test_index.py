"""The index finds what trying every pattern would find."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.model import Condition, Quantifier
from selfheal.rulebook.grammar import parse_condition
from selfheal.rules.index import PatternIndex
from selfheal.rules.pattern import patterns_of

TEXTS = [
    "event.a == 1",
    'event.a == "x" and event.b == 2',
    "event.a in [1, true, null]",
    "event.a == true",
    "event.b == 2 or event.a == 1",
    "1 == event.a",
    "not event.a == 1",
    "event.a > 0",
    "event.c.d == 'y' and event.a is defined",
    "event.a == 1.0",
    "event.a == null",
    "event.l == [1]",
]
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [1, 1.0, True, False, None, "x", "y", 2, 0, [1], {"d": "y"}, {"d": None}, float("nan")]
)
BODIES = st.dictionaries(st.sampled_from("abcl"), VALUES)


@given(st.lists(st.sampled_from(TEXTS), max_size=8), BODIES)
@settings(max_examples=300, deadline=None)
def test_it_finds_what_a_search_through_all_finds(texts: list[str], body: dict[str, Any]) -> None:
    """No pattern is missed and none is found that does not hold."""
    conditions = [Condition(Quantifier.ALL, (parse_condition(text),)) for text in texts]
    patterns = [patterns_of(condition, {})[0] for condition in conditions]
    index = PatternIndex((number, 0, pattern) for number, pattern in enumerate(patterns))
    found = [number for number, _ in index.find(body)]
    assert found == [n for n, pattern in enumerate(patterns) if pattern.alone(body, {})]


def test_a_message_is_not_tried_on_rules_for_other_values() -> None:
    """With a thousand rules on one field, one predicate is run."""
    texts = [f'event.status == "firing" and event.name == "n{number}"' for number in range(1000)]
    tried: list[int] = []
    entries = []
    for number, text in enumerate(texts):
        pattern = patterns_of(Condition(Quantifier.ALL, (parse_condition(text),)), {})[0]
        entries.append((number, 0, _spied(pattern, number, tried)))
    index = PatternIndex(entries)
    assert index.find({"status": "firing", "name": "n7"}) == [(7, [0])]
    assert tried == [7]


def _spied(pattern: Any, number: int, tried: list[int]) -> Any:
    def alone(body: Any, bindings: Any) -> bool:
        tried.append(number)
        return bool(pattern.alone(body, bindings))

    return replace(pattern, alone=alone)
