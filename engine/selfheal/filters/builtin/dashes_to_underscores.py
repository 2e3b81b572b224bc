"""dashes_to_underscores: `server-name` becomes `server_name`, at any depth."""

from __future__ import annotations

from typing import Any


def main(event: dict[str, Any], overwrite: bool = True) -> dict[str, Any]:
    """Rename the keys; where the new name is taken, the renamed key wins unless `overwrite` is
    off, and then it is dropped."""
    left: list[Any] = [event]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left.extend(value.values())
            _rename(value, overwrite)
        elif isinstance(value, list):
            left.extend(value)
    return event


def _rename(value: dict[str, Any], overwrite: bool) -> None:
    for key in [key for key in value if "-" in key]:
        item = value.pop(key)
        name = key.replace("-", "_")
        if overwrite or name not in value:
            value[name] = item
