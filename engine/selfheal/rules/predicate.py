"""Predicates: an expression becomes one fast function of a message and the matches before it.

Each test answers true, false or None, no answer: a field that is missing or types that don't fit.
Neither the test nor its negation then holds, so `not event.x == 1` is false where there is no x.
Negations are therefore pushed down to the tests, and `and` and `or` swapped on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, assert_never

from selfheal.errors import ConditionError
from selfheal.model.condition import (
    Arithmetic,
    Assign,
    Compare,
    Defined,
    Expression,
    Literal,
    Logical,
    Membership,
    Negate,
    Path,
    Search,
    Select,
    SelectAttr,
)
from selfheal.rules import leaves
from selfheal.rules.leaves import Scope, Test
from selfheal.rules.operands import Bindings, Body, alias_of
from selfheal.rules.values import NoAnswerError

Predicate = Callable[[Body, Bindings], bool]

_UNANSWERABLE = (NoAnswerError, RecursionError, ConditionError)
"""What a test may meet in a hostile event: types that don't fit, depth, a pattern that is none."""


def compile_predicate(
    expression: Expression,
    aliases: Collection[str] = (),
    variables: Mapping[str, Any] | None = None,
) -> Predicate:
    """Return the function `(body, bindings of earlier aliases) -> bool`; it never raises.

    Raises `ConditionError` for an unknown variable, operator, option or a wrong pattern.
    """
    return _compile(expression, Scope(tuple(aliases), variables or {}), negated=False)


def conjuncts(expression: Expression) -> list[Expression]:
    """Return the expressions that must all hold for this one to hold."""
    match expression:
        case Logical("and", lhs, rhs):
            return conjuncts(lhs) + conjuncts(rhs)
        case Assign(_, _, expr):
            return conjuncts(expr)
    return [expression]


def refers_to(node: Any, aliases: Collection[str]) -> set[str]:
    """Return which of the aliases the expression speaks of."""
    match node:
        case Path():
            alias = alias_of(node, aliases)
            return {alias} if alias else set()
        case Logical(_, lhs, rhs) | Compare(_, lhs, rhs) | Arithmetic(_, lhs, rhs):
            return refers_to(lhs, aliases) | refers_to(rhs, aliases)
        case Membership():
            return refers_to(node.lhs, aliases) | refers_to(node.rhs, aliases)
        case Negate(expr) | Assign(_, _, expr):
            return refers_to(expr, aliases)
        case Defined(path):
            return refers_to(path, aliases)
        case Search():
            return refers_to(node.lhs, aliases) | refers_to(node.pattern, aliases)
        case Select() | SelectAttr():
            return refers_to(node.lhs, aliases) | refers_to(node.value, aliases)
    return set()


def _compile(node: Expression, scope: Scope, *, negated: bool) -> Predicate:
    match node:
        case Assign(_, _, expr):
            return _compile(expr, scope, negated=negated)
        case Negate(expr):
            return _compile(expr, scope, negated=not negated)
        case Logical(op, lhs, rhs):
            left = _compile(lhs, scope, negated=negated)
            right = _compile(rhs, scope, negated=negated)
            return _both(left, right) if (op == "and") is not negated else _either(left, right)
    fast = None if negated else leaves.equals_text(node, scope)
    return fast or _leaf(_test(node, scope), wanted=not negated)


def _test(node: Expression, scope: Scope) -> Test:
    match node:
        case Literal() | Path() | Arithmetic():
            return leaves.truth(node, scope)
        case Compare():
            return leaves.compare(node, scope)
        case Membership():
            return leaves.membership(node, scope)
        case Defined():
            return leaves.defined(node, scope)
        case Search():
            return leaves.search(node, scope)
        case Select():
            return leaves.select(node, scope)
        case SelectAttr():
            return leaves.selectattr(node, scope)
        case Logical() | Negate() | Assign():
            raise AssertionError("taken apart above")
        case _:
            assert_never(node)


def _leaf(test: Test, *, wanted: bool) -> Predicate:
    def hold(body: Body, bindings: Bindings) -> bool:
        try:
            return test(body, bindings) is wanted
        except _UNANSWERABLE:
            return False

    return hold


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda body, bindings: left(body, bindings) and right(body, bindings)


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda body, bindings: left(body, bindings) or right(body, bindings)
