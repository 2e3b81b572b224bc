"""What is new in every run (times, ids), put aside before two runs are compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_VOLATILE = ("uuid", "received_at")
_PLACEHOLDERS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"), "<time>"),
    (re.compile(r"(?<![\d:])\d:\d\d:\d\d\.\d+"), "<time>"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
)


def settled_text(text: str) -> str:
    """Return the text with placeholders for times and uuids, as in the recordings."""
    for pattern, placeholder in _PLACEHOLDERS:
        text = pattern.sub(placeholder, text)
    return text


def canonical(value: Any) -> str:
    """Return JSON that is equal for two values that differ in times and uuids only."""
    return settled_text(json.dumps(_without_volatile(value), sort_keys=True))


def _without_volatile(value: Any) -> Any:
    """Leave out of each `meta` what the recordings leave out, too."""
    if isinstance(value, Mapping):
        return {
            key: _without_volatile(
                {k: v for k, v in item.items() if k not in _VOLATILE}
                if key == "meta" and isinstance(item, Mapping)
                else item
            )
            for key, item in value.items()
        }
    return [_without_volatile(item) for item in value] if isinstance(value, list) else value
