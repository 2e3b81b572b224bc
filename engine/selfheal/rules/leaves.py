"""The tests of a condition, one function for each kind; None stands for no answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from selfheal.errors import ConditionError
from selfheal.model.condition import (
    Compare,
    Defined,
    Expression,
    Literal,
    Membership,
    Operand,
    Path,
    Search,
    Select,
    SelectAttr,
)
from selfheal.rules import values
from selfheal.rules.operands import Bindings, Body, Evaluate, alias_of, compile_operand, getter
from selfheal.rules.operators import Operator, operator_named
from selfheal.rules.regex import compile_pattern, found
from selfheal.rules.values import UNDEFINED

Test = Callable[[Body, Bindings], bool | None]


@dataclass(frozen=True, slots=True)
class Scope:
    """What the names in an expression may mean."""

    aliases: tuple[str, ...]
    """Matches bound before this one, in the same rule."""
    variables: Mapping[str, Any]
    """What `vars.x` gives."""

    def operand(self, node: Operand) -> Evaluate:
        """Compile an operand."""
        return compile_operand(node, self.aliases, self.variables)


def equals_text(node: Expression, scope: Scope) -> Callable[[Body, Bindings], bool] | None:
    """Return the shortest test for the commonest condition, `event.x == "text"`, else None."""
    match node:
        case Compare("==", Path() as path, Literal(str() as text)):
            if path.root != "vars" and alias_of(path, scope.aliases) is None:
                get = getter(path.keys)
                return lambda body, bindings: bool(get(body) == text)
    return None


def truth(node: Operand, scope: Scope) -> Test:
    """A value alone: is it `true`?"""
    evaluate = scope.operand(node)

    def test(body: Body, bindings: Bindings) -> bool | None:
        value = evaluate(body, bindings)
        return None if value is UNDEFINED else value is True

    return test


def compare(node: Compare, scope: Scope) -> Test:
    """`== != < <= > >=`; no answer across types."""
    left, right = scope.operand(node.lhs), scope.operand(node.rhs)
    holds = _COMPARISONS[node.op]

    def test(body: Body, bindings: Bindings) -> bool | None:
        a, b = left(body, bindings), right(body, bindings)
        if a is UNDEFINED or b is UNDEFINED or not values.comparable(a, b):
            return None
        return holds(a, b)

    return test


def _equal(a: Any, b: Any) -> bool | None:
    return values.equal(a, b)


def _unequal(a: Any, b: Any) -> bool | None:
    return not values.equal(a, b)


def _ordered(*signs: int) -> Callable[[Any, Any], bool | None]:
    def holds(a: Any, b: Any) -> bool | None:
        if a is None:
            return False
        sign = values.order(a, b)
        return None if sign is None else sign in signs

    return holds


_COMPARISONS: dict[str, Callable[[Any, Any], bool | None]] = {
    "==": _equal,
    "!=": _unequal,
    ">": _ordered(1),
    ">=": _ordered(0, 1),
    "<": _ordered(-1),
    "<=": _ordered(-1, 0),
}


def membership(node: Membership, scope: Scope) -> Test:
    """`in`, `contains` and their `not` forms; a text is not a container of its letters."""
    left, right = scope.operand(node.lhs), scope.operand(node.rhs)

    def test(body: Body, bindings: Bindings) -> bool | None:
        a, b = left(body, bindings), right(body, bindings)
        if a is UNDEFINED or b is UNDEFINED:
            return None
        holds = values.contains(b, a) if node.op == "in" else values.contains(a, b)
        return holds is not node.negated

    return test


def defined(node: Defined, scope: Scope) -> Test:
    """`is defined`, true for null as well."""
    if node.path.root == "vars":
        known = getter(node.path.keys)(scope.variables) is not UNDEFINED
        return lambda body, bindings: known is not node.negated
    evaluate = scope.operand(node.path)
    return lambda body, bindings: (evaluate(body, bindings) is not UNDEFINED) is not node.negated


_SEARCH_OPTIONS = ("ignorecase", "multiline")


def search(node: Search, scope: Scope) -> Test:
    """`is match|search|regex(pattern)`; numbers, lists and maps are searched as their text."""
    subject, pattern_of = scope.operand(node.lhs), _pattern_of(node, scope)
    at_start = node.kind == "match"

    def test(body: Body, bindings: Bindings) -> bool | None:
        value = subject(body, bindings)
        if value is UNDEFINED:
            return None
        pattern = pattern_of(body, bindings)
        if pattern is None or value is None:
            return None if pattern is None else False
        return found(pattern, values.text_of(value), at_start=at_start) is not node.negated

    return test


def _pattern_of(node: Search, scope: Scope) -> Callable[[Body, Bindings], re.Pattern[str] | None]:
    """Return what gives the pattern; a written one is compiled once, here."""
    options = _search_options(node)
    written = scope.operand(node.pattern)
    if not isinstance(node.pattern, Literal):

        def compiled(body: Body, bindings: Bindings) -> re.Pattern[str] | None:
            value = written(body, bindings)
            is_text = isinstance(value, str | int | float)
            return compile_pattern(values.text_of(value), **options) if is_text else None

        return compiled
    constant = compile_pattern(values.text_of(node.pattern.value), **options)
    return lambda body, bindings: constant


def _search_options(node: Search) -> dict[str, bool]:
    for name in node.options:
        if name not in _SEARCH_OPTIONS:
            hint = f"one of {', '.join(_SEARCH_OPTIONS)}"
            raise ConditionError(f"{name!r} is no option of {node.kind}", hint=hint)
    return {name: value is True for name, value in node.options.items()}


def select(node: Select, scope: Scope) -> Test:
    """`is select(op, value)`: some item is so; `is not select`: some item is not so."""
    subject, wanted = scope.operand(node.lhs), scope.operand(node.value)
    operator = operator_named(node.op)

    def test(body: Body, bindings: Bindings) -> bool | None:
        items, value = subject(body, bindings), wanted(body, bindings)
        if items is UNDEFINED or value is UNDEFINED:
            return None
        return _some(items, lambda item: operator(item, value), negated=node.negated)

    return test


def selectattr(node: SelectAttr, scope: Scope) -> Test:
    """`is selectattr(key, op, value)`: some item's attribute is so."""
    subject, wanted = scope.operand(node.lhs), scope.operand(node.value)
    operator, attribute = operator_named(node.op), _attribute(node.key)

    def test(body: Body, bindings: Bindings) -> bool | None:
        items, value = subject(body, bindings), wanted(body, bindings)
        if items is UNDEFINED or value is UNDEFINED or not _has_attributes(items):
            return None
        if not isinstance(items, list | tuple) and attribute(items) is UNDEFINED:
            return False
        return _some(
            items, lambda item: _holds(attribute(item), operator, value), negated=node.negated
        )

    return test


def _attribute(key: str) -> Callable[[Any], Any]:
    get = getter(key.split("."))
    return lambda item: None if item is None else get(item)


def _has_attributes(items: Any) -> bool:
    each = items if isinstance(items, list | tuple) else [items]
    return all(item is None or isinstance(item, Mapping) for item in each)


def _holds(attribute: Any, operator: Operator, value: Any) -> bool:
    return attribute is not UNDEFINED and operator(attribute, value)


def _some(items: Any, holds: Callable[[Any], bool], *, negated: bool) -> bool:
    each = items if isinstance(items, list | tuple) else [items]
    # A negated select of the original asks whether some item is not so: false for an empty list.
    return any(holds(item) is not negated for item in each)
