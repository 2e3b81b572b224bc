"""Conditions, parsed: the nodes of ansible-rulebook 1.3's condition language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the condition; lists are tuples of values, and of `Path`s to vars."""

    value: Scalar | tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """Reference to a value: `event.a["b"][-1]`, `events.first.x`, `facts.m_0.x`, `vars.x`."""

    root: str
    """`event`, `events`, `fact`, `facts` or `vars`; `event` and `fact` mean the same message."""
    keys: tuple[str | int, ...]
    """Keys and list indexes; after `events`/`facts` the first key is the alias of the match."""
    text: str
    """Behind the root and its dot, as written."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`lhs op rhs` with op one of `+ -`, on numbers or texts."""

    op: str
    lhs: Operand
    rhs: Operand


@dataclass(frozen=True, slots=True)
class Compare:
    """`lhs op rhs` with op one of `== != < <= > >=`."""

    op: str
    lhs: Operand
    rhs: Operand


@dataclass(frozen=True, slots=True)
class Logical:
    """`lhs and rhs`, `lhs or rhs`."""

    op: str
    lhs: Expression
    rhs: Expression


@dataclass(frozen=True, slots=True)
class Negate:
    """`not expr`."""

    expr: Expression


@dataclass(frozen=True, slots=True)
class Membership:
    """`lhs in rhs`, `lhs not in rhs`, `lhs contains rhs`, `lhs not contains rhs`."""

    op: str
    """`in` or `contains`."""
    lhs: Operand
    rhs: Operand
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Defined:
    """`path is defined`, `path is not defined`."""

    path: Path
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """`lhs is match(pattern, ignorecase=true)` and its kin `search`, `regex`."""

    lhs: Operand
    kind: str
    """`match`, `search` or `regex`."""
    pattern: Operand
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """`ignorecase`, `multiline`."""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Select:
    """`lhs is select("op", value)`: some item of the list satisfies `item op value`."""

    lhs: Operand
    op: str
    value: Operand
    negated: bool = False


@dataclass(frozen=True, slots=True)
class SelectAttr:
    """`lhs is selectattr("key", "op", value)`: some item satisfies `item.key op value`."""

    lhs: Operand
    key: str
    op: str
    value: Operand
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Assign:
    """`events.first << event.i == 0`: names the message that satisfies the expression."""

    name: str
    """The alias, `first`."""
    root: str
    """`events` or `facts`."""
    expr: Expression


Operand = Literal | Path | Arithmetic
Expression = (
    Literal
    | Path
    | Arithmetic
    | Compare
    | Logical
    | Negate
    | Membership
    | Defined
    | Search
    | Select
    | SelectAttr
    | Assign
)


class Quantifier(Enum):
    """How the expressions of a rule's condition are joined."""

    ALL = "all"
    """Each is satisfied, by different messages or the same."""
    ANY = "any"
    """One is satisfied."""
    NOT_ALL = "not_all"
    """Within the timeout, counted from the first that is satisfied, some are not."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The whole condition of a rule; a single expression is `ALL` of one."""

    quantifier: Quantifier
    expressions: tuple[Expression, ...]
    timeout: float | None = None
    """Seconds in which `ALL` must complete, or after which `NOT_ALL` fires."""
    timeout_text: str = ""
    """The timeout as written, such as `5 minutes`."""
