"""Conditions decide as ansible-rulebook's engine decides."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.errors import ConditionError
from selfheal.model.condition import Arithmetic, Compare, Literal, Path
from selfheal.rulebook.grammar import parse_condition
from selfheal.rules import compile_predicate

DEEP: Any = []
for _ in range(100_000):
    DEEP = [DEEP]


def holds(condition: str, event: dict[str, Any], **bindings: dict[str, Any]) -> bool:
    predicate = compile_predicate(parse_condition(condition), tuple(bindings), {"n": 3})
    return predicate(event, bindings)


@pytest.mark.parametrize(
    ("condition", "event", "expected"),
    [
        ("event.i == 1", {"i": 1.0}, True),
        ("event.i == 1", {"i": True}, False),
        ("event.i == 1", {"i": "1"}, False),
        ("event.i != 1", {"i": "1"}, False),
        ("event.i != 1", {"i": None}, True),
        ("event.i == null", {"i": None}, True),
        ("event.i == null", {}, False),
        ("event.i == true", {"i": 1}, False),
        ("event.i > 1", {"i": 2**70}, True),
        ("event.i > 1", {"i": "2"}, False),
        ("event.i < 1", {"i": None}, False),
        ('event.s < "b"', {"s": "abc"}, True),
        ("event.l == [1, 2]", {"l": [1, 2]}, True),
        ("event.l == [1, 2]", {"l": [1.0, 2]}, False),
        ("event.i == vars.n", {"i": 3}, True),
        ("event.i + event.j == 3", {"i": 3}, True),
        ('event.s + 1 == "a1"', {"s": "a"}, True),
        ("event.i - 1 == 0", {"i": "a"}, False),
        ("event.i", {"i": True}, True),
        ("event.i", {"i": 1}, False),
        ("not event.i", {"i": 1}, True),
        ("not event.i", {}, False),
        ("not event.i == 1", {"i": "1"}, False),
        ("not (event.a == 1 and event.b == 1)", {"b": 0}, True),
        ("not (event.a == 1 and event.b == 1)", {"a": 1}, False),
        ("not not event.i == 1", {"i": 1}, True),
        ("not event.i is defined", {}, True),
        ("event.a == 1 or event.b == 1 and event.c == 1", {"a": 1, "c": 0}, False),
        ("event.i is defined", {"i": None}, True),
        ("event.o.k.x is not defined", {"o": None}, False),
        ("event.o.k == null", {"o": None}, True),
        ("event.l[-1] == 3", {"l": [1, 3]}, True),
        ("event.l[5] == 3", {"l": [1, 3]}, False),
        ('event.o["a b"] == 1', {"o": {"a b": 1}}, True),
        ('event.o["0"] == 1', {"o": [1]}, False),
        ("event.meta.source.name == 'x'", {"meta": {"source": {"name": "x"}}}, True),
        ("event.i in [1, null]", {"i": None}, True),
        ("event.i not in [1]", {}, False),
        ('"b" in event.s', {"s": "abc"}, False),
        ('"abc" in event.s', {"s": "abc"}, True),
        ("event.l contains 1", {"l": [1.0]}, True),
        ("event.l not contains 1", {"l": [True]}, True),
        ('event.s is match("bc")', {"s": "abc"}, False),
        ('event.s is search("bc")', {"s": "abc"}, True),
        ('event.s is match("ABC", ignorecase=true)', {"s": "abcd"}, True),
        ('event.s is regex("^b", multiline=true)', {"s": "a\nb"}, True),
        ('event.s is search("5")', {"s": 1.5}, True),
        ('event.s is search("k=1")', {"s": {"k": 1}}, True),
        ('event.s is not search("a")', {"s": None}, False),
        ('not (event.s is search("a"))', {"s": None}, True),
        ('event.s is search("a(?i)B")', {"s": "ab"}, True),
        ('event.s is search("(?<year>\\d+)")', {"s": "in 2026"}, True),
        ('event.l is select(">", 1)', {"l": ["a", None, 2]}, True),
        ('event.l is not select("==", 1)', {"l": [1, 2]}, True),
        ('event.l is not select("==", 1)', {"l": []}, False),
        ('event.l is select("search", "b")', {"l": ["abc"]}, True),
        ('event.l is select("!=", null)', {"l": [None]}, True),
        ('event.p is selectattr("age", ">", 20)', {"p": [{"age": 10}, {"age": 30}]}, True),
        ('event.p is selectattr("age", ">", 20)', {"p": {"age": 30}}, True),
        ('event.p is not selectattr("age", ">", 20)', {"p": [{}]}, True),
        ('event.p is selectattr("o.age", "in", [30])', {"p": [{"o": {"age": 30}}]}, True),
        ('event.p is selectattr("age", ">", 20)', {"p": [1]}, False),
    ],
)
def test_it_decides_as_the_original(condition: str, event: dict[str, Any], expected: bool) -> None:
    """Types, null, missing fields and every operator decide as recorded from the original."""
    assert holds(condition, event) is expected


def test_an_alias_means_the_earlier_match() -> None:
    """`events.x.i` reads the message bound to x; without such a match, the own message."""
    assert holds("event.i == events.x.i", {"i": 1}, x={"i": 1})
    assert not holds("event.i == events.x.i", {"i": 1}, x={"i": 2})
    assert holds("event.i == events.x.i", {"i": 1, "x": {"i": 1}})


@pytest.mark.parametrize(
    "condition",
    [
        "event.i == vars.nothing",
        'event.s is search("(")',
        'event.s is search("(a+)+$")',
        'event.s is search("a", foo=true)',
    ],
)
def test_a_condition_that_cannot_work_is_refused(condition: str) -> None:
    """Unknown variables and options, wrong and deadly patterns are errors when compiled."""
    with pytest.raises(ConditionError):
        holds(condition, {})


def test_products_and_quotients_of_our_own_have_no_answer_on_zero() -> None:
    """A division by zero is no match, and no error."""
    quotient = Arithmetic("/", Literal(1), Path("event", ("i",), "i"))
    predicate = compile_predicate(Compare("==", quotient, Literal(0.5)))
    assert predicate({"i": 2}, {})
    assert not predicate({"i": 0}, {})


CONDITIONS = [
    "event.i == 1",
    "event.i == event.j",
    "not event.i >= event.j",
    "event.i + event.j == 3",
    "event.i - 1 < event.j",
    "event.i in event.j",
    "event.i not contains event.j",
    "event.i[0].k[-1] == 1",
    'event.i is search("a")',
    "event.i is match(event.j)",
    'event.i is not select("<", event.j)',
    'event.i is select("search", event.j)',
    'event.i is selectattr("k", "!=", event.j)',
    "event.i == [1, 2]",
]
HOSTILE = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, -1, 2**70, 10**4000, 1e30, float("nan"), float("inf"), -0.0])
    | st.sampled_from(["", "a", "(", "\ud800", "x" * 70_000, "[", "a" * 40 + "!"])
    | st.integers()
    | st.floats()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["k", "j", ""]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(HOSTILE, HOSTILE)
@settings(max_examples=150, deadline=None)
def test_no_event_makes_a_predicate_raise(first: Any, second: Any) -> None:
    """Whatever an event holds, the answer is true or false."""
    for condition in CONDITIONS:
        assert holds(condition, {"i": first, "j": second}) in (True, False)


def test_depth_does_not_make_a_predicate_raise() -> None:
    """A value nested deeper than Python's stack is no match."""
    for condition in CONDITIONS:
        assert holds(condition, {"i": DEEP, "j": DEEP}) in (True, False)
