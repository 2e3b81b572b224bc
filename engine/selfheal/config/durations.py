"""Durations in configuration: `500ms`, `10s`, `1h30m`, or a number of seconds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from selfheal.duration import parse_duration
from selfheal.errors import DurationError


def _seconds(value: Any) -> Any:
    try:
        return parse_duration(value) if isinstance(value, str) else value
    except DurationError as error:
        raise ValueError(str(error)) from error


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]
