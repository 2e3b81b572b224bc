"""A rule's condition taken apart: what one message must satisfy, and what ties it to others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from selfheal.model.condition import (
    Assign,
    Compare,
    Condition,
    Defined,
    Expression,
    Literal,
    Logical,
    Membership,
    Path,
    Quantifier,
    Search,
    Select,
    SelectAttr,
)
from selfheal.rules.operands import Body, alias_of, getter
from selfheal.rules.predicate import Predicate, compile_predicate, conjuncts, refers_to
from selfheal.rules.values import UNDEFINED, identity

KeyOf = Callable[[Body], str | None]


@dataclass(frozen=True, slots=True)
class Tie:
    """`event.own == events.ALIAS.other`: an equality that the join engine can find."""

    alias: str
    """The earlier match."""
    own: KeyOf
    """Key of the message that is tied; None when it has no such field."""
    other: KeyOf
    """Key of the earlier match."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One slot of a rule."""

    alias: str
    """Name of the match: given, or `m`, `m_0`, `m_1` …"""
    expression: Expression
    """What the message alone must satisfy; the index reads it."""
    alone: Predicate
    """The same, compiled."""
    together: Predicate | None = None
    """What it must satisfy with the matches before it; None for nothing."""
    ties: tuple[Tie, ...] = field(default=())
    """The part of that which is plain equality."""


def patterns_of(condition: Condition, variables: Mapping[str, Any]) -> list[Pattern]:
    """Return one pattern for each expression; raises `ConditionError`."""
    single = len(condition.expressions) == 1
    aliases = [
        expression.name if isinstance(expression, Assign) else "m" if single else f"m_{number}"
        for number, expression in enumerate(condition.expressions)
    ]
    joined = condition.quantifier is Quantifier.ALL
    if single and is_absence(only := condition.expressions[0]) and isinstance(only, Defined):
        # Such a rule watches the messages that have the field.
        return [_pattern(aliases[0], Defined(only.path), [], variables)]
    return [
        _pattern(alias, expression, aliases[:number] if joined else [], variables)
        for number, (alias, expression) in enumerate(
            zip(aliases, condition.expressions, strict=True)
        )
    ]


def is_absence(expression: Expression) -> bool:
    """Tell whether the expression alone asks that no message at all has some field."""
    return isinstance(expression, Defined) and expression.negated and expression.path.root != "vars"


def _pattern(
    alias: str, expression: Expression, earlier: Sequence[str], variables: Mapping[str, Any]
) -> Pattern:
    alone: list[Expression] = []
    together: list[Expression] = []
    ties: list[Tie] = []
    for part in conjuncts(expression):
        if found := _tie(part, earlier):
            own_path, tie = found
            ties.append(tie)
            alone.append(Defined(own_path))
        elif refers_to(part, earlier):
            together.append(part)
            alone += [Defined(path) for path in _needed(part, earlier)]
        else:
            alone.append(part)
    own = _all_of(alone)
    return Pattern(
        alias,
        own,
        compile_predicate(own, (), variables),
        compile_predicate(_all_of(together), earlier, variables) if together else None,
        tuple(ties),
    )


def _all_of(parts: Sequence[Expression]) -> Expression:
    if not parts:
        return Literal(True)
    joined, *rest = parts
    for part in rest:
        joined = Logical("and", joined, part)
    return joined


def _needed(part: Expression, earlier: Sequence[str]) -> list[Path]:
    """Return fields of the message itself without which the expression can't hold."""
    match part:
        case Compare() | Membership():
            sides = [part.lhs, part.rhs]
        case Search() | Select() | SelectAttr():
            sides = [part.lhs]
        case _:
            return []
    paths = [side for side in sides if isinstance(side, Path) and side.root != "vars"]
    return [path for path in paths if alias_of(path, earlier) is None]


def _tie(part: Expression, earlier: Sequence[str]) -> tuple[Path, Tie] | None:
    match part:
        case Compare("==", Path() as lhs, Path() as rhs) if "vars" not in (lhs.root, rhs.root):
            left, right = alias_of(lhs, earlier), alias_of(rhs, earlier)
            if left is None and right is not None:
                return lhs, Tie(right, key_of(lhs.keys), key_of(rhs.keys[1:]))
            if right is None and left is not None:
                return rhs, Tie(left, key_of(rhs.keys), key_of(lhs.keys[1:]))
    return None


def key_of(keys: Sequence[str | int]) -> KeyOf:
    """Return a short ASCII key of the value at that path; equal keys mean alike in type too."""
    get = getter(keys) if keys else lambda body: body

    def key(body: Body) -> str | None:
        value = get(body)
        if value is UNDEFINED:
            return None
        try:
            return "h" + _digest(identity(value))
        except RecursionError:
            return None

    return key


def _digest(value: Any) -> str:
    # A frozenset has no order of its own: its members' digests are sorted instead.
    digest = hashlib.sha256()
    if isinstance(value, tuple):
        parts = [_digest(each) for each in value]
    elif isinstance(value, frozenset):
        parts = sorted(_digest(each) for each in value)
    else:
        parts = [type(value).__name__, str(value) if not isinstance(value, int) else hex(value)]
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:32]
