"""Sizes in configuration: `500MB`, `2GiB`, or a number of bytes."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_UNITS = {
    unit: factor
    for power, letter in enumerate(("", "k", "m", "g", "t"))
    for unit, factor in ((f"{letter}b", 1000**power), (f"{letter}ib", 1024**power))
    if unit != "ib"
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")


def _bytes(value: Any) -> Any:
    if not isinstance(value, str) or value.isdigit():
        return value
    found = _SIZE.fullmatch(value.strip().lower())
    if not found or found[2] not in _UNITS:
        raise ValueError(f"{value!r} is no size; write 500MB, 2GiB or a number of bytes")
    return int(float(found[1]) * _UNITS[found[2]])


Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0)]
