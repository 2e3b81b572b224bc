"""json_filter: drops keys, at any depth, by name or pattern."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from typing import Any


def main(
    event: dict[str, Any],
    exclude_keys: Sequence[str] | None = None,
    include_keys: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Drop the keys that match `exclude_keys`, except those that match `include_keys`.

    Inside a key that stays it goes on; what is in lists is left alone.
    """
    left = [event]
    while left:
        value = left.pop()
        for key in list(value):
            if _matches(key, exclude_keys) and not _matches(key, include_keys):
                del value[key]
            elif isinstance(value[key], dict):
                left.append(value[key])
    return event


def _matches(key: str, patterns: Sequence[str] | None) -> bool:
    return any(key == pattern or fnmatch(key, pattern) for pattern in patterns or ())
