"""The condition of a rule: one text, true, or a list of texts under all, any or not_all."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema

from selfheal.errors import ConditionError
from selfheal.model.condition import Condition, Expression, Literal, Quantifier
from selfheal.rulebook.grammar import parse_condition
from selfheal.rulebook.schema.values import Duration, Part, absent
from selfheal.rulebook.variables import bind_expression
from selfheal.strict import refusal
from selfheal.yamlfile import describe

_FORMS = "write a text such as event.i == 1, or all:, any: or not_all: with a list of them"


def _expression(value: Any, info: ValidationInfo) -> Expression:
    """Parse; with variables as the context also see to it that the condition can be bound."""
    if not isinstance(value, str):
        raise refusal(f"must be a text, not {describe(value)}", "put quotes around it")
    try:
        expression = parse_condition(value)
        if info.context is not None:
            bind_expression(expression, info.context)
        return expression
    except ConditionError as error:
        raise refusal(f"condition: {error.message}", error.hint, offset=error.offset) from error


ExpressionText = Annotated[
    Any, PlainValidator(_expression), WithJsonSchema({"type": "string", "minLength": 1})
]
_Expressions = Annotated[list[ExpressionText], Field(min_length=1)]


class AllPart(Part):
    """Every condition of the list, by one event or by several, within the timeout."""

    all: _Expressions
    timeout: Duration = absent()


class AnyPart(Part):
    """One condition of the list."""

    any: _Expressions


class NotAllPart(Part):
    """Within the timeout, counted from the first that is met, some were not met."""

    not_all: _Expressions
    timeout: Duration


def _condition(value: Any, info: ValidationInfo) -> Condition:
    if isinstance(value, bool):
        return Condition(Quantifier.ALL, (Literal(value),))
    if isinstance(value, str):
        return Condition(Quantifier.ALL, (_expression(value, info),))
    if not isinstance(value, dict):
        raise refusal(f"must be a condition, not {describe(value)}", _FORMS)
    if "any" in value:
        return Condition(
            Quantifier.ANY, tuple(AnyPart.model_validate(value, context=info.context).any)
        )
    if "not_all" in value:
        none = NotAllPart.model_validate(value, context=info.context)
        return Condition(Quantifier.NOT_ALL, tuple(none.not_all), *none.timeout)
    if "all" in value:
        every = AllPart.model_validate(value, context=info.context)
        return Condition(Quantifier.ALL, tuple(every.all), *(every.timeout or (None, "")))
    raise refusal("must hold one of all, any, not_all", _FORMS)


ConditionValue = Annotated[
    Condition,
    PlainValidator(_condition),
    WithJsonSchema({"type": ["string", "boolean", "object"]}),
]
