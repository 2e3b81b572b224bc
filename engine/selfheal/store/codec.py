"""Nouns to JSON and back, by their annotations; a table's row is a noun with JSON where needed."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from selfheal.errors import StoreError

T = TypeVar("T")
_SCALARS = (str, int, float, bool)


def to_text(value: Any) -> str:
    """Return `value` (nouns, containers, scalars) as JSON text.

    Floats JSON has no number for become the strings `NaN`, `Infinity`, `-Infinity`; dates become
    ISO 8601. Raises StoreError for anything that is not data, and for data nested too deep.
    """
    try:
        try:
            return _encode(value)
        except (TypeError, ValueError):  # rare: floats and keys that JSON does not have
            return _encode(_plain(value))
    except (RecursionError, ValueError) as error:
        raise StoreError(f"this can't be kept as JSON: {error}") from error


def from_text(kind: Any, text: str) -> Any:
    """Return the value of type `kind` that `to_text` wrote. Raises StoreError."""
    try:
        return _decoder(kind)(json.loads(text))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise StoreError(f"the record holds no valid {_name(kind)}: {error}") from error


def to_row(noun: Any, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return a column for each field of `noun`: scalars as they are, the rest as JSON text."""
    kind: Any = type(noun)
    return {
        name: _to_cell(getattr(noun, name), scalar)
        for name, (_, scalar) in _columns(kind).items()
        if name not in without
    }


def from_row(kind: type[T], row: Mapping[str, Any], **given: Any) -> T:
    """Return the noun of a row; `given` fields are taken as they are, not from the row.

    A field that has no column keeps its default.
    """
    noun: Any = kind
    present = set(row.keys()) - set(given)
    values = {
        name: _from_cell(annotation, row[name], scalar)
        for name, (annotation, scalar) in _columns(noun).items()
        if name in present
    }
    return kind(**values, **given)


def _to_cell(value: Any, scalar: bool) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value if scalar else to_text(value)


def _from_cell(annotation: Any, cell: Any, scalar: bool) -> Any:
    if not scalar:
        return from_text(annotation, cell)
    try:
        return _decoder(annotation)(cell)
    except (TypeError, ValueError) as error:
        raise StoreError(f"the record holds no valid {_name(annotation)}: {error}") from error


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


@cache
def _columns(kind: type) -> dict[str, tuple[Any, bool]]:
    """Field name to its annotation, and whether SQLite has a type for it."""
    hints = get_type_hints(kind)
    return {
        field.name: (hints[field.name], _is_scalar(hints[field.name])) for field in fields(kind)
    }


def _is_scalar(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType):
        return all(_is_scalar(part) for part in get_args(annotation))
    return annotation in (*_SCALARS, type(None)) or _is_enum(annotation)


def _is_enum(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Enum)


def _opened(value: Any) -> Any:
    """Return what the encoder does not know as something nearer to JSON: one level of it."""
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in _names(type(value))}
    return _plain(value)


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_opened).encode


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _spell(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, date):
        return value.isoformat()
    raise StoreError(f"a {type(value).__name__} can't be kept as JSON")


def _spell(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


@cache
def _decoder(annotation: Any) -> Callable[[Any], Any]:
    """Return the function from plain JSON data to a value of `annotation`."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return lambda data: data
    if annotation is type(None):
        return _none
    if origin in (Union, types.UnionType):
        return _union(parts)
    if origin is tuple and len(parts) == 2 and parts[1] is Ellipsis:
        return lambda data: tuple(_decoder(parts[0])(item) for item in data)
    if origin is not None and issubclass(origin, Mapping):
        return lambda data: {key: _decoder(parts[1])(item) for key, item in data.items()}
    if _is_enum(annotation):
        return lambda data: annotation(data)
    if is_dataclass(annotation):
        return _dataclass(annotation)
    if annotation in _SCALARS:
        return _scalar(annotation)
    raise TypeError(f"the codec knows no {annotation}")


def _none(data: Any) -> None:
    if data is not None:
        raise TypeError(f"{data!r} where nothing is expected")


def _scalar(kind: Any) -> Callable[[Any], Any]:
    def decode(data: Any) -> Any:
        if data is None or isinstance(data, dict | list):
            raise TypeError(f"{data!r} is no {kind.__name__}")
        return kind(data)

    return decode


def _union(parts: tuple[Any, ...]) -> Callable[[Any], Any]:
    """`X | None` only: with two real types JSON could not tell which one was meant."""
    real = [part for part in parts if part is not type(None)]
    if len(real) != 1 or len(parts) != 2:
        raise TypeError(f"the codec knows `X | None` only, not {parts}")
    return lambda data: None if data is None else _decoder(real[0])(data)


def _dataclass(kind: Any) -> Callable[[Any], Any]:
    columns = _columns(kind)
    needed = {f.name for f in fields(kind) if f.default is f.default_factory is MISSING}

    def decode(data: Any) -> Any:
        if missing := needed - set(data):
            raise KeyError(f"{kind.__name__} without {', '.join(sorted(missing))}")
        known = {name: _decoder(columns[name][0])(data[name]) for name in columns if name in data}
        return kind(**known)

    return decode


def _name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))
