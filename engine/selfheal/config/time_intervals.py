"""Time intervals in Alertmanager's shape: when a window that comes again is open.

Every key that is written must hold at the local time; the entries of one list are alternatives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    Field,
    InstanceOf,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from selfheal.strict import Strict, refusal
from selfheal.yamlfile import describe, did_you_mean

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""In Alertmanager's order: a range can't run over the end of Saturday."""
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)

Span = tuple[int, int]
"""First and last, both included."""

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|(24):(00)", re.ASCII)


def _minute(value: Any) -> int:
    """Minutes since midnight; YAML 1.1 reads an unquoted 12:30 as the number 750."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 24 * 60:
        return value
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise refusal(f"must be a time of day, not {describe(value)}", 'such as "08:30"')
    hour, minute = (int(part) for part in found.groups() if part is not None)
    return hour * 60 + minute


Minute = Annotated[
    int, PlainValidator(_minute), WithJsonSchema({"type": "string", "examples": ["08:30"]})
]


class TimeRange(Strict):
    """From one time of day up to another, the end left out."""

    start_time: Minute = Field(description="First minute, such as 08:30.")
    end_time: Minute = Field(description="The minute after the last; 24:00 is midnight.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start_time >= self.end_time:
            hint = "over midnight write two ranges: one up to 24:00, one from 00:00"
            raise refusal("end_time must be later than start_time", hint)
        return self


def _spans(number: Callable[[str], int], what: str) -> Callable[[Any], Span]:
    def parse(value: Any) -> Span:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise refusal(f"must be {what}, or a range of two, not {describe(value)}")
        if isinstance(value, int) and value > 31 and not 1970 <= value <= 9999:
            # YAML 1.1 reads 1:5 as the number 65, in base 60.
            raise refusal(f"must be {what}, or a range of two", 'put quotes around it: "1:5"')
        first, colon, last = str(value).lower().partition(":")
        span = (number(first.strip()), number((last if colon else first).strip()))
        if span[0] > span[1] and (span[0] > 0) == (span[1] > 0):
            raise refusal(f"the range {value} ends before it begins", "write two entries")
        return span

    return parse


def _named(names: Sequence[str], what: str, *, numbered: bool) -> Callable[[str], int]:
    def number(text: str) -> int:
        if text in names:
            return names.index(text) + numbered
        if numbered and text.isascii() and text.isdigit() and 1 <= int(text) <= len(names):
            return int(text)
        raise refusal(f"{text!r} is no {what}", did_you_mean(text, names))

    return number


def _whole(low: int, high: int, what: str) -> Callable[[str], int]:
    def number(text: str) -> int:
        found = int(text) if re.fullmatch(r"-?\d{1,4}", text, re.ASCII) else 0
        if not (low <= found <= high) or found == 0:
            raise refusal(f"{text!r} is no {what}")
        return found

    return number


def _days(value: Any) -> Span:
    first, last = _spans(_whole(-31, 31, "day of the month"), "a day of the month")(value)
    if first < 0 < last:
        raise refusal(f"the range {value} counts from the end to the beginning")
    return first, last


def _zone(value: Any) -> tzinfo:
    if isinstance(value, tzinfo):
        return value
    try:
        if isinstance(value, str) and value:
            return ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        pass
    raise refusal(f"must be a time zone, not {describe(value)}", "such as Europe/Berlin or UTC")


_SPAN_SCHEMA = WithJsonSchema({"type": ["string", "integer"]})
Weekdays = Annotated[
    Span,
    PlainValidator(_spans(_named(WEEKDAYS, "weekday", numbered=False), "a weekday")),
    _SPAN_SCHEMA,
]
Days = Annotated[Span, PlainValidator(_days), _SPAN_SCHEMA]
Months = Annotated[
    Span, PlainValidator(_spans(_named(MONTHS, "month", numbered=True), "a month")), _SPAN_SCHEMA
]
Years = Annotated[Span, PlainValidator(_spans(_whole(1970, 9999, "year"), "a year")), _SPAN_SCHEMA]
Zone = Annotated[
    InstanceOf[tzinfo],
    BeforeValidator(_zone),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]}),
]


class TimeInterval(Strict):
    """When it is open; a key that is left out holds always."""

    times: list[TimeRange] = Field(default_factory=list, description="Times of day.")
    weekdays: list[Weekdays] = Field(
        default_factory=list, description="Such as sunday or monday:friday."
    )
    days_of_month: list[Days] = Field(
        default_factory=list, description="Such as 1 or 1:7; -1 is the last day."
    )
    months: list[Months] = Field(default_factory=list, description="Such as may, 5, or may:july.")
    years: list[Years] = Field(default_factory=list, description="Such as 2027 or 2027:2029.")
    location: Zone = Field(ZoneInfo("UTC"), description="Time zone, such as Europe/Berlin.")
