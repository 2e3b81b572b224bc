"""How much of something: a number, or a per cent of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from selfheal.config.durations import Seconds
from selfheal.strict import refusal
from selfheal.yamlfile import describe

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%", re.ASCII)

Positive = Annotated[Seconds, Field(gt=0)]
"""A duration that is not nothing."""


@dataclass(frozen=True, slots=True)
class Amount:
    """So many, or such a share."""

    number: float
    """As written; more than 0."""
    is_percent: bool = False
    """A share of the whole."""

    def of(self, whole: int) -> int:
        """Return how many of `whole` that is, rounded down, yet at least one."""
        return max(1, int(whole * self.number / 100)) if self.is_percent else int(self.number)

    def exceeded_by(self, part: int, whole: int) -> bool:
        """Whether `part` of `whole` is more."""
        return part * 100 > whole * self.number if self.is_percent else part > self.number

    def __str__(self) -> str:
        return f"{self.number:g}{' %' if self.is_percent else ''}"


def _percent(value: Any) -> Amount:
    if isinstance(value, Amount):
        return value
    found = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise refusal(f"must be a per cent, not {describe(value)}", 'write one such as "20%"')
    number = float(found[1])
    if not 0 < number <= 100:
        raise refusal("must be more than 0 % and at most 100 %")
    return Amount(number, is_percent=True)


def _amount(value: Any) -> Amount:
    if isinstance(value, Amount):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise refusal("must be at least 1", "to do nothing at all use: selfheal pause")
        return Amount(value)
    if isinstance(value, str) and "%" in value:
        return _percent(value)
    raise refusal(
        f"must be a whole number or a per cent, not {describe(value)}", 'such as 3, or "20%"'
    )


Percent = Annotated[
    Amount,
    PlainValidator(_percent),
    PlainSerializer(str),
    WithJsonSchema({"type": "string"}),
]
"""Such as `50%`."""
NumberOrPercent = Annotated[
    Amount,
    PlainValidator(_amount),
    PlainSerializer(str),
    WithJsonSchema({"type": ["integer", "string"]}),
]
"""Such as `3` or `20%`."""
