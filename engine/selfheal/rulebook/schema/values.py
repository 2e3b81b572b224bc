"""The kinds of values a rulebook holds, each with the message it gives when it is another."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from selfheal.duration import parse_duration
from selfheal.errors import DurationError
from selfheal.strict import Strict, refusal
from selfheal.templates import is_template
from selfheal.yamlfile import Vaulted, describe, did_you_mean

_DURATION_HINT = "write one such as 30s, 5m, 1h30m or '5 minutes'"
_E = TypeVar("_E", bound=Enum)


class Part(Strict):
    """Base of every part of a rulebook: what is written is not coerced."""

    model_config = ConfigDict(strict=True)


class WrittenDuration(NamedTuple):
    """A duration and the text it was written as."""

    seconds: float
    text: str


def _text(value: Any) -> str | Vaulted:
    if isinstance(value, str | Vaulted):
        return value
    raise refusal(f"must be text, not {describe(value)}", "put quotes around it")


def _not_blank(value: str) -> str:
    if not value.strip():
        raise refusal("must not be blank")
    return value


def _text_or_mapping(value: Any) -> Any:
    if isinstance(value, str | Vaulted | dict):
        return value
    raise refusal(f"must be text or a mapping, not {describe(value)}")


def _text_or_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(item) for item in value]
    return _text(value)


def _integer(value: Any) -> Any:
    if isinstance(value, str) and is_template(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise refusal(f"must be a whole number, not {describe(value)}")


def _number(value: Any) -> Any:
    if isinstance(value, float):
        return value
    try:
        return _integer(value)
    except PydanticCustomError:
        raise refusal(f"must be a number, not {describe(value)}") from None


def _seconds(value: Any) -> float:
    try:
        if isinstance(value, str | int | float):
            return parse_duration(value)
    except DurationError:
        pass
    raise refusal(f"must be a duration, not {describe(value)}", _DURATION_HINT)


def _written_duration(value: Any) -> WrittenDuration:
    if not isinstance(value, str):
        raise refusal(f"must be a duration, not {describe(value)}", _DURATION_HINT)
    return WrittenDuration(_seconds(value), value)


def absent(**limits: Any) -> Any:
    """Return the default of a key that may be left out, but not be written empty."""
    return Field(default=None, **limits)


def member_of(enum: type[_E]) -> Callable[[Any], _E]:
    """Return the validator that turns a text into the member of `enum` that has it as value."""
    known = [str(member.value) for member in enum]

    def convert(value: Any) -> _E:
        if isinstance(value, str) and value in known:
            return enum(value)
        raise refusal(f"must be one of {', '.join(known)}", did_you_mean(value, known))

    return convert


_TEXT_SCHEMA = WithJsonSchema({"type": "string"})
_DURATION_SCHEMA = WithJsonSchema({"type": ["string", "number"], "examples": ["30s", "5 minutes"]})

Text = Annotated[str | Vaulted, PlainValidator(_text), _TEXT_SCHEMA]
"""A text, encrypted or not, Jinja allowed."""
TextOrMapping = Annotated[
    Any, PlainValidator(_text_or_mapping), WithJsonSchema({"type": ["string", "object"]})
]
TextOrTexts = Annotated[
    Any, PlainValidator(_text_or_texts), WithJsonSchema({"type": ["string", "array"]})
]
TemplatedInteger = Annotated[
    Any, PlainValidator(_integer), WithJsonSchema({"type": ["integer", "string"]})
]
"""A whole number, or Jinja that gives one."""
TemplatedNumber = Annotated[
    Any, PlainValidator(_number), WithJsonSchema({"type": ["number", "string"]})
]
Mapping = dict[Any, Any]
"""Anything under any keys."""
Name = Annotated[str, AfterValidator(_not_blank)]
"""A text that is not blank."""
Seconds = Annotated[float, PlainValidator(_seconds), _DURATION_SCHEMA]
"""A duration in any form, as seconds."""
Duration = Annotated[
    WrittenDuration, PlainValidator(_written_duration), WithJsonSchema({"type": "string"})
]
"""A duration that must be text, because ansible-rulebook takes no numbers there."""


def _reserved(value: Any) -> Any:
    raise refusal("not supported yet", "remove it; a later version brings it")


Reserved = Annotated[Any, BeforeValidator(_reserved)]
"""A key that later versions give a meaning; nothing is accepted that would be ignored."""
