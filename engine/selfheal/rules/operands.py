"""Operands compiled: a literal, a path or arithmetic becomes a function that gives its value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from selfheal.errors import ConditionError
from selfheal.model.condition import Arithmetic, Literal, Operand, Path
from selfheal.rules import values
from selfheal.rules.values import UNDEFINED

Body = Mapping[str, Any]
Bindings = Mapping[str, Body]
"""Alias to the message that was bound to it earlier in the same rule."""
Getter = Callable[[Body], Any]
Evaluate = Callable[[Body, Bindings], Any]

_OPERATIONS = {
    "+": values.add,
    "-": values.subtract,
    "*": values.multiply,
    "/": values.divide,
}


def getter(keys: Sequence[str | int]) -> Getter:
    """Return the function that follows the keys through a message; `UNDEFINED` when it can't."""
    if len(keys) == 1:
        return _get_one(keys[0])

    def get(body: Body) -> Any:
        value: Any = body
        for key in keys:
            value = _step(value, key)
            if value is UNDEFINED:
                return UNDEFINED
        return value

    return get


def alias_of(path: Path, aliases: Collection[str]) -> str | None:
    """Return the earlier match that `events.ALIAS.x` refers to; None for the own message.

    `events.x` and `facts.x` mean the own message unless the first key names an earlier match.
    """
    if path.root in ("events", "facts") and path.keys and path.keys[0] in aliases:
        return str(path.keys[0])
    return None


def compile_operand(
    operand: Operand, aliases: Collection[str], variables: Mapping[str, Any]
) -> Evaluate:
    """Return the function; raises `ConditionError` for a variable that is not there."""
    match operand:
        case Literal(value):
            return lambda body, bindings: value
        case Path("vars"):
            constant = look_up(operand, variables)
            return lambda body, bindings: constant
        case Path():
            return _compile_path(operand, aliases)
        case Arithmetic(op, lhs, rhs):
            left = compile_operand(lhs, aliases, variables)
            right = compile_operand(rhs, aliases, variables)
            operate = _OPERATIONS[op]
            return lambda body, bindings: operate(left(body, bindings), right(body, bindings))


def look_up(path: Path, variables: Mapping[str, Any]) -> Any:
    """Return the value of `vars.x`; raises `ConditionError` when there is none."""
    value = getter(path.keys)(variables)
    if value is UNDEFINED:
        raise ConditionError(f"there is no variable vars.{path.text}")
    return value


def _compile_path(path: Path, aliases: Collection[str]) -> Evaluate:
    alias = alias_of(path, aliases)
    if alias is None:
        own = getter(path.keys)
        return lambda body, bindings: own(body)
    other = getter(path.keys[1:])
    return lambda body, bindings: other(bindings[alias]) if alias in bindings else UNDEFINED


def _get_one(key: str | int) -> Getter:
    def get(body: Body) -> Any:
        return body.get(key, UNDEFINED) if isinstance(key, str) else UNDEFINED

    return get


def _step(value: Any, key: str | int) -> Any:
    if type(value) is dict and type(key) is str:  # nearly always; the checks below cost more
        return value.get(key, UNDEFINED)
    if value is None:
        return None  # as in the original: what lies behind null is null, not missing
    if isinstance(value, Mapping):
        return value.get(key, UNDEFINED) if isinstance(key, str) else UNDEFINED
    if isinstance(value, list | tuple) and isinstance(key, int):
        return value[key] if -len(value) <= key < len(value) else UNDEFINED
    return UNDEFINED
