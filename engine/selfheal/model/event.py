"""Event: one thing a source saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a source saw, after its filters."""

    id: str
    """Unique id, `ev-…`."""
    source: str
    """Name of the source in the rulebook."""
    received_at: float
    """Unix time at which it was taken in."""
    body: Mapping[str, Any]
    """Any JSON object; what conditions call `event`, its key `meta` included."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What the engine knows about it (ruleset, source type, delivery ids); never matched."""
