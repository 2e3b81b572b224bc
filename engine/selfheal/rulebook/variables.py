"""Binding: `vars.x` and Jinja in a condition become the values they stand for, once, at load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from selfheal.errors import ConditionError, TemplateError
from selfheal.model.condition import (
    Arithmetic,
    Assign,
    Compare,
    Condition,
    Defined,
    Expression,
    Literal,
    Logical,
    Membership,
    Negate,
    Operand,
    Path,
    Search,
    Select,
    SelectAttr,
)
from selfheal.templates import is_template, render
from selfheal.yamlfile import describe, did_you_mean


def bind(condition: Condition, variables: Mapping[str, Any]) -> Condition:
    """Return the condition with every variable replaced; raises `ConditionError`."""
    bound = tuple(bind_expression(item, variables) for item in condition.expressions)
    return replace(condition, expressions=bound)


def bind_expression(node: Expression, variables: Mapping[str, Any]) -> Expression:
    """Return the expression with every variable replaced; raises `ConditionError`."""
    match node:
        case Logical(op, lhs, rhs):
            return Logical(op, bind_expression(lhs, variables), bind_expression(rhs, variables))
        case Negate(expr):
            return Negate(bind_expression(expr, variables))
        case Assign(name, root, expr):
            return Assign(name, root, bind_expression(expr, variables))
        case Defined(Path("vars") as path, negated):
            return Literal(_is_known(path, variables) != negated)
        case Defined():
            return node
        case Compare(op, lhs, rhs):
            return Compare(op, _operand(lhs, variables), _operand(rhs, variables))
        case Membership():
            return replace(
                node, lhs=_operand(node.lhs, variables), rhs=_operand(node.rhs, variables)
            )
        case Search():
            return replace(
                node, lhs=_operand(node.lhs, variables), pattern=_operand(node.pattern, variables)
            )
        case Select() | SelectAttr():
            return replace(
                node, lhs=_operand(node.lhs, variables), value=_operand(node.value, variables)
            )
        case Literal() | Path() | Arithmetic():
            return _operand(node, variables)


def look_up(path: Path, variables: Mapping[str, Any]) -> Any:
    """Return the value of `vars.a.b`; raises `ConditionError` when there is none."""
    value: Any = variables
    for key in path.keys:
        if not isinstance(value, Mapping) or key not in value:
            known = [str(name) for name in value] if isinstance(value, Mapping) else []
            hint = did_you_mean(key, known) if known else "no variables are set; see --vars"
            raise ConditionError(f"there is no variable vars.{path.text}", hint=hint)
        value = value[key]
    return value


def render_text(text: str, variables: Mapping[str, Any]) -> Any:
    """Return a text of a condition with its Jinja rendered; raises `ConditionError`."""
    if not is_template(text):
        return text
    try:
        return render(text, variables)
    except TemplateError as error:
        hint = "only variables can be used in a condition's braces; write event.x without"
        raise ConditionError(str(error), hint=hint) from error


def _operand(node: Operand, variables: Mapping[str, Any]) -> Operand:
    match node:
        case Path("vars"):
            return Literal(_value(look_up(node, variables), node, variables))
        case Path():
            return node
        case Arithmetic(op, lhs, rhs):
            return Arithmetic(op, _operand(lhs, variables), _operand(rhs, variables))
        case Literal(value=str() as text):
            # A text stays a text, whatever Jinja makes of it: "{{ port }}" never equals 8080.
            return Literal(str(render_text(text, variables)))
        case Literal(value=tuple() as items):
            return Literal(tuple(_item(item, variables) for item in items))
        case Literal():
            return node


def _item(item: Any, variables: Mapping[str, Any]) -> Any:
    bound = _operand(item if isinstance(item, Path) else Literal(item), variables)
    return bound.value if isinstance(bound, Literal) else bound


def _value(value: Any, path: Path, variables: Mapping[str, Any]) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(render_text(value, variables))
    if isinstance(value, list | tuple):
        return tuple(_value(item, path, variables) for item in value)
    message = f"vars.{path.text} is {describe(value)}; a condition needs a plain value or a list"
    raise ConditionError(message)


def _is_known(path: Path, variables: Mapping[str, Any]) -> bool:
    try:
        look_up(path, variables)
    except ConditionError:
        return False
    return True
