from __future__ import annotations

from typing import Any

import pytest

from selfheal.errors import ConditionError
from selfheal.rulebook import bind_expression, parse_condition

VARS: dict[str, Any] = {
    "one": 1,
    "flag": True,
    "name": "abc",
    "greeting": "hi {{ name }}",
    "nums": [1, 2],
    "o": {"deep": {"v": 1}},
}


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("event.i == vars.one", "event.i == 1"),
        ("event.i == vars.o.deep.v + 1", "event.i == 1 + 1"),
        ("event.b == vars.flag", "event.b == true"),
        ("vars.flag", "true"),
        ("event.i in vars.nums", "event.i in [1, 2]"),
        ("event.i in [vars.one, 5]", "event.i in [1, 5]"),
        ("event.s == '{{ name }}d'", "event.s == 'abcd'"),
        # A text stays a text, as in the original: it equals "1", not 1.
        ("event.s == '{{ one }}'", "event.s == '1'"),
        ("event.s == vars.greeting", "event.s == 'hi abc'"),
        ("event.s is match(vars.name)", "event.s is match('abc')"),
        ("event.l is select('==', vars.one)", "event.l is select('==', 1)"),
        ("event.l is selectattr('a', 'in', vars.nums)", "event.l is selectattr('a', 'in', [1, 2])"),
        ("events.x << event.i == vars.one", "events.x << event.i == 1"),
        ("not (event.i == vars.one or event.j)", "not (event.i == 1 or event.j)"),
        ("vars.one is defined", "true"),
        ("vars.two is not defined", "true"),
        ("event.two is not defined", "event.two is not defined"),
    ],
)
def test_variables_become_the_values_they_stand_for(text: str, same: str) -> None:
    """A bound condition is the one that could have been written with the values in it."""
    bound = bind_expression(parse_condition(text), VARS)
    assert repr(bound) == repr(parse_condition(same))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("event.i == vars.two", "no variable vars.two", "known here"),
        ("event.i == vars.nam", "no variable vars.nam", "did you mean 'name'?"),
        ("event.i == vars.one.x", "no variable vars.one.x", ""),
        ("event.i == vars.o", "vars.o is a mapping", ""),
        ("event.i == '{{ two }}'", "'two' is undefined", "write event.x without"),
    ],
)
def test_what_cannot_be_bound_is_told(text: str, message: str, hint: str) -> None:
    """A missing or unfit variable is an error at load, never a condition that can't match."""
    with pytest.raises(ConditionError) as caught:
        bind_expression(parse_condition(text), VARS)
    assert message in caught.value.message
    assert hint in caught.value.hint
