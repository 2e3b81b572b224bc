"""PostgreSQL connection strings as libpq reads them, for asyncpg."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from selfheal.errors import SourceError

_PAIR = re.compile(r"\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?:\s+|$)")
_URI = re.compile(r"postgres(ql)?://")
_NAMES = {
    "host": "host",
    "hostaddr": "host",
    "port": "port",
    "dbname": "database",
    "user": "user",
    "password": "password",
    "passfile": "passfile",
    "sslmode": "ssl",
    "connect_timeout": "timeout",
}


def connect_arguments(dsn: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments for `asyncpg.connect`. Raises `SourceError`."""
    given: dict[str, Any] = {}
    if _URI.match(dsn):
        given["dsn"] = dsn
    else:
        given.update(_translated(parse_conninfo(dsn)))
    given.update(_translated(params))
    return given


def parse_conninfo(text: str) -> dict[str, str]:
    """Return the pairs of `key=value key='quoted value'`. Raises `SourceError`."""
    pairs: dict[str, str] = {}
    position = 0
    text = text.strip()
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            # The text may hold a password, so it is not shown.
            raise SourceError("source pg_listener: dsn is neither key=value pairs nor a URI")
        value = match[2] if match[2] is not None else match[3]
        pairs[match[1]] = re.sub(r"\\(.)", r"\1", value)
        position = match.end()
    return pairs


def _translated(params: Mapping[str, Any]) -> dict[str, Any]:
    translated: dict[str, Any] = {}
    for key, value in params.items():
        if key == "application_name":
            translated["server_settings"] = {"application_name": str(value)}
        elif key in _NAMES:
            translated[_NAMES[key]] = _typed(key, value)
        else:
            known = ", ".join(sorted([*_NAMES, "application_name"]))
            raise SourceError(
                f"source pg_listener: connection parameter {key!r} is not supported; known: {known}"
            )
    return translated


def _typed(key: str, value: Any) -> Any:
    try:
        return {"port": int, "connect_timeout": float}.get(key, str)(value)
    except (TypeError, ValueError):
        raise SourceError(f"source pg_listener: {key} must be a number") from None
