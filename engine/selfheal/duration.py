"""Durations as operators write them: `500ms 10s 5m 1h30m 7d`, or ansible-rulebook's `5 minutes`."""

from __future__ import annotations

import re

from selfheal.errors import DurationError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SHORT = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+", re.ASCII)
_SHORT_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_LONG = re.compile(r"(\d+)\s(millisecond|second|minute|hour|day)s?", re.ASCII)
_LONG_UNIT = {"millisecond": "ms", "second": "s", "minute": "m", "hour": "h", "day": "d"}


def parse_duration(value: str | int | float) -> float:
    """Return the seconds that `value` means; a bare number is seconds.

    Raises `DurationError` for anything else, negative numbers included.
    """
    if isinstance(value, bool) or (isinstance(value, int | float) and not 0 <= value < 1e12):
        raise DurationError(f"{value!r} is not a duration; write one such as 30s, 5m or 1h30m")
    if isinstance(value, int | float):
        return float(value)
    text = value.strip()
    if _SHORT.fullmatch(text):
        return sum(float(n) * _SECONDS[unit] for n, unit in _SHORT_PART.findall(text))
    if long := _LONG.fullmatch(text):
        return float(long[1]) * _SECONDS[_LONG_UNIT[long[2]]]
    raise DurationError(f"{value!r} is not a duration; write one such as 30s, 5m or 1h30m")


def format_duration(seconds: float) -> str:
    """Return a short text for people: `0.4s`, `12s`, `3m 5s`, `2h 10m`, `6d 4h`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    whole = round(seconds)
    for size, unit, rest, rest_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "m")):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // rest}{rest_unit}"
    return f"{whole // 60}m {whole % 60}s"
