"""Reading an action's rendered arguments, with errors that name the argument."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from selfheal.duration import parse_duration
from selfheal.errors import ActionError, DurationError

_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
Args = Mapping[str, Any]


def text(args: Args, name: str, default: str | None = None) -> str:
    """Return a text; numbers are written out. Without a default it must be given."""
    value = args.get(name)
    if value is None:
        if default is None:
            raise ActionError(f"argument {name} is missing")
        return default
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ActionError(f"argument {name} must be a text, not {_kind(value)}")
    return str(value)


def flag(args: Args, name: str, default: bool = False) -> bool:
    """Return a boolean, also from a template that wrote it as text."""
    value = args.get(name, default)
    if isinstance(value, str) and value.strip().lower() in ("true", "yes", "false", "no"):
        return value.strip().lower() in ("true", "yes")
    if value is None or isinstance(value, bool):
        return bool(value)
    raise ActionError(f"argument {name} must be true or false, not {_kind(value)}")


def whole(args: Args, name: str, default: int = 0) -> int:
    """Return a whole number, zero or more."""
    value = args.get(name)
    if value is None:
        return default
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ActionError(f"argument {name} must be a whole number, zero or more")
    return value


def seconds(args: Args, name: str, default: float = 0.0) -> float:
    """Return seconds, from a number or a duration such as 10s."""
    value = args.get(name)
    if value is None:
        return default
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    try:
        return parse_duration(value)
    except (DurationError, AttributeError) as error:
        raise ActionError(f"argument {name}: {error}") from error


def mapping(args: Args, name: str, *, required: bool = False) -> dict[str, Any]:
    """Return a mapping; empty when it is not given."""
    value = args.get(name)
    if value is None and not required:
        return {}
    if not isinstance(value, Mapping):
        raise ActionError(f"argument {name} must be a mapping, not {_kind(value)}")
    return dict(value)


def _kind(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__
