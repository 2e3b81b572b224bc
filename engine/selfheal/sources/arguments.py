"""The arguments of a built-in source: declared as a model, checked before the source starts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from selfheal.duration import parse_duration
from selfheal.errors import DurationError, SourceError


class Arguments(BaseModel):
    """Base of every built-in source's arguments; unknown ones are errors."""

    # Inputs are hidden from messages: some of them are secrets.
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, coerce_numbers_to_str=True
    )


AnyArguments = TypeVar("AnyArguments", bound=Arguments)


def parse_arguments(
    kind: type[AnyArguments], args: Mapping[str, Any] | None, source: str
) -> AnyArguments:
    """Return the checked arguments. Raises `SourceError` that names everything wrong at once."""
    try:
        return kind.model_validate(dict(args or {}))
    except ValidationError as error:
        problems = [_explain(kind, dict(problem)) for problem in error.errors()]
        raise SourceError(f"source {source}: {'; '.join(problems)}") from None


def _explain(kind: type[Arguments], problem: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"argument {name!r} is required"
    if problem["type"] == "extra_forbidden":
        known = [field.alias or key for key, field in kind.model_fields.items()]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
        return f"unknown argument {name!r} ({hint})"
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"argument {name!r}: {message}" if name else message


def _seconds(value: Any) -> float:
    if not isinstance(value, str | int | float):
        # pydantic turns only ValueError into a message
        raise ValueError("must be a duration such as 500ms, 10s or 5m")
    try:
        text = value.strip() if isinstance(value, str) else value
        return parse_duration(float(text) if isinstance(text, str) and _is_number(text) else text)
    except DurationError as error:
        raise ValueError(str(error)) from None


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


Seconds = Annotated[float, BeforeValidator(_seconds)]
"""A duration: seconds as a number, or a text such as `500ms`."""
Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 lets the system choose."""
