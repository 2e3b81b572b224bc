"""Looking up a value inside an event by a path such as `alert.labels.instance`."""

from __future__ import annotations

from typing import Any


def value_at(event: Any, path: str, separator: str = ".") -> Any:
    """Return what is at `path`; a number steps into a list. Raises `KeyError`."""
    value = event
    for key in path.split(separator):
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            raise KeyError(path)
    return value
