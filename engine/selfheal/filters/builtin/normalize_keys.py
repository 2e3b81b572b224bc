"""normalize_keys: in keys, anything but letters, digits and underscores becomes one underscore."""

from __future__ import annotations

import re
from typing import Any

_OTHER = re.compile("[^0-9a-zA-Z_]+")


def main(event: dict[str, Any], overwrite: bool = True) -> dict[str, Any]:
    """Return the event with `server.com/&abc` as `server_com_abc`, at any depth, in lists too.

    Where the new name is already a key, `overwrite` decides which of the two stays; as in
    ansible-rulebook, with `overwrite` the one that comes later in the object.
    """
    normalized: dict[str, Any] = _normalize(event, overwrite)
    return normalized


def _normalize(value: Any, overwrite: bool) -> Any:
    if isinstance(value, list):
        return [_normalize(item, overwrite) for item in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for key, item in value.items():
        name = _OTHER.sub("_", key)
        if name == key or name not in value or overwrite:
            result[name] = _normalize(item, overwrite)
    return result
