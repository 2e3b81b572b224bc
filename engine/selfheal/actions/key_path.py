"""Dotted paths into events: `alert.labels.instance`, `d.items.0`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selfheal.errors import ActionError

_MISSING = object()


def value_at(value: Any, path: str, default: Any = _MISSING) -> Any:
    """Return what is at `path`; a number is also an index of a list.

    Raises ActionError when it is not there and no default is given."""
    found = value
    for key in path.split("."):
        found = _step(found, key)
        if found is _MISSING:
            if default is _MISSING:
                raise ActionError(f"there is no {path}")
            return default
    return found


def _step(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(key, _MISSING)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        index = key.removeprefix("-")
        if index.isascii() and index.isdigit() and len(index) < 10:
            return value[int(key)] if -len(value) <= int(key) < len(value) else _MISSING
    return _MISSING


def narrow(matches: Mapping[str, Any], var_root: Any) -> Mapping[str, Any]:
    """Apply an action's `var_root`: put a nested part in the place of the event it is in.

    A rule over one event: the first path that leads somewhere replaces the event. A rule over
    several: a mapping of path to new name; what a path leads to is added under that name.
    """
    if not var_root:
        return matches
    if not isinstance(var_root, str | Mapping):
        raise ActionError("argument var_root must be a path, or a mapping of path to name")
    roots = {var_root: var_root} if isinstance(var_root, str) else var_root
    if "event" in matches:
        parts = (value_at(matches["event"], str(path), None) for path in roots)
        part = next((part for part in parts if part), None)
        return matches if part is None else {"event": part}
    events = dict(matches["events"])
    for event in matches["events"].values():
        for path, name in roots.items():
            if part := value_at(event, str(path), None):
                events[str(name)] = part
                break
    return {"events": events}
