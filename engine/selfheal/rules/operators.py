"""The operators that `select` and `selectattr` name, applied to one item of a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from selfheal.errors import ConditionError
from selfheal.rules import values
from selfheal.rules.regex import compile_pattern, found

Operator = Callable[[Any, Any], bool]


def operator_named(name: str) -> Operator:
    """Return the test `(item, value)`; raises `ConditionError` for a name it does not know."""
    try:
        operator = _OPERATORS[name]
    except KeyError:
        known = " ".join(_OPERATORS)
        raise ConditionError(f"{name!r} is no operator of select", hint=f"one of {known}") from None
    if name in ("match", "search", "regex"):
        return operator
    # As in the original a null item satisfies every operator whose value is null, and no other.
    return lambda item, value: value is None if item is None else operator(item, value)


def _found(item: Any, value: Any) -> bool:
    if item is None or value is None:
        return False
    return found(compile_pattern(values.text_of(value)), values.text_of(item), at_start=False)


def _ordered(*signs: int) -> Operator:
    return lambda item, value: values.order(item, value) in signs


_OPERATORS: dict[str, Operator] = {
    "==": values.equal,
    "!=": lambda item, value: not values.equal(item, value),
    ">": _ordered(1),
    ">=": _ordered(0, 1),
    "<": _ordered(-1),
    "<=": _ordered(-1, 0),
    "in": lambda item, value: values.contains(value, item),
    "not in": lambda item, value: not values.contains(value, item),
    "contains": lambda item, value: values.contains(item, value),
    "not contains": lambda item, value: not values.contains(item, value),
    "match": _found,
    "search": _found,
    "regex": _found,
}
