"""The door: what may become an event, and what is refused before anything is kept of it."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from selfheal.errors import EventError


@dataclass(frozen=True, slots=True)
class EventLimits:
    """How much one event may weigh."""

    max_bytes: int = 10_000_000
    """Largest body a network source reads. An event from elsewhere is refused when its texts alone
    are larger."""
    max_depth: int = 64
    """Deepest nesting of objects and lists."""
    max_values: int = 500_000
    """Most keys and values: walking them all is what keeps everything else waiting."""


DEFAULT_LIMITS = EventLimits()
_MAX_INT_BITS = 1024


def parse_json(data: bytes, limits: EventLimits = DEFAULT_LIMITS) -> Any:
    """Return the JSON value in `data`.

    Raises `EventError` for what is too large or too deep, is no UTF-8, no JSON, or holds a number
    that JSON doesn't have (NaN, Infinity).
    """
    if len(data) > limits.max_bytes:
        raise EventError(f"larger than {limits.max_bytes} bytes")
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise EventError(f"not UTF-8: byte {error.start} is {data[error.start]:#04x}") from None
    except RecursionError:
        raise EventError(f"nested deeper than {limits.max_depth}") from None
    except ValueError as error:
        raise EventError(f"not JSON: {error}") from None
    return _clean(value, limits)


def clean_event(event: Any, limits: EventLimits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Return a copy of `event` that is plain JSON and shares nothing with the original.

    Keys become strings the way JSON writes them, dates ISO 8601. Raises `EventError` for anything
    that is no JSON object or goes beyond `limits`.
    """
    if not isinstance(event, Mapping):
        raise EventError(f"an event must be a JSON object, not {type(event).__name__}")
    if not isinstance(event.get("meta", {}), Mapping):
        raise EventError("meta must be a JSON object")
    cleaned: dict[str, Any] = _clean(event, limits)
    return cleaned


class _Bad(Exception):
    """Carries the path outwards; never leaves this file."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: list[str] = []


class _Scale:
    """Adds up one event while it is walked, never to more than its size as JSON."""

    __slots__ = ("limits", "size", "values")

    def __init__(self, limits: EventLimits) -> None:
        self.limits = limits
        self.size = 0
        self.values = 0

    def add(self, size: int) -> None:
        self.size += size
        self.values += 1
        if self.size > self.limits.max_bytes:
            raise _Bad(f"larger than {self.limits.max_bytes} bytes")
        if self.values > self.limits.max_values:
            raise _Bad(f"more than {self.limits.max_values} keys and values")


def _clean(value: Any, limits: EventLimits) -> Any:
    try:
        return _copy(value, 0, _Scale(limits))
    except _Bad as bad:
        where = ".".join(reversed(bad.path[-6:]))
        raise EventError(f"{bad.reason} (at {where})" if where else bad.reason) from None


def _copy(value: Any, depth: int, scale: _Scale) -> Any:
    if isinstance(value, str):
        return _text(value, scale)
    if value is None or isinstance(value, bool):
        scale.add(4)
        return value
    if isinstance(value, int | float):
        return _number(value, scale)
    if depth >= scale.limits.max_depth:
        raise _Bad(f"nested deeper than {scale.limits.max_depth}")
    if isinstance(value, Mapping):
        return _object(value, depth, scale)
    if isinstance(value, list | tuple):
        scale.add(2)
        return [_copy(item, depth + 1, scale) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return _text(value.isoformat(), scale)
    raise _Bad(f"holds a {type(value).__name__}, which JSON doesn't have")


def _object(value: Mapping[Any, Any], depth: int, scale: _Scale) -> dict[str, Any]:
    copied: dict[str, Any] = {}
    scale.add(2)
    for key, item in value.items():
        name = key if type(key) is str else _key(key)
        try:
            copied[_text(name, scale)] = _copy(item, depth + 1, scale)
        except _Bad as bad:
            bad.path.append(name[:40].encode("ascii", "backslashreplace").decode())
            raise
    return copied


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    if key is None or isinstance(key, bool | int | float):
        return json.dumps(key)
    raise _Bad(f"has a key of type {type(key).__name__}")


def _text(value: str, scale: _Scale) -> str:
    if value.isascii():
        scale.add(len(value))
    else:
        try:
            scale.add(len(value.encode("utf-8")))
        except UnicodeEncodeError:
            raise _Bad("holds half a surrogate pair, which is no Unicode text") from None
    return value if type(value) is str else str(value)


def _number(value: float, scale: _Scale) -> float:
    if isinstance(value, float) and not math.isfinite(value):
        raise _Bad(f"holds {value}, which JSON doesn't have")
    if isinstance(value, int) and value.bit_length() > _MAX_INT_BITS:
        raise _Bad("holds an integer of more than 300 digits")
    scale.add(1)
    return value


def _refuse_constant(constant: str) -> NoReturn:
    raise EventError(f"holds {constant}, which JSON doesn't have")
