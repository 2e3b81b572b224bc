"""Fault: something is wrong with a component; and Incident: faults that belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Severity(Enum):
    """How bad a fault is; ordered from least to most."""

    INFO = "info"
    """Worth knowing, nothing to do."""
    WARNING = "warning"
    """Will become a problem if left alone."""
    ERROR = "error"
    """A part does not do its work."""
    CRITICAL = "critical"
    """Users are affected."""


FAULT_TYPES = (
    "performance_degradation",
    "resource_exhaustion",
    "connection_failure",
    "data_corruption",
    "deadlock",
    "memory_leak",
)
"""The well-known fault types; a rulebook may use others."""


class FaultState(Enum):
    """Whether a fault still stands."""

    OPEN = "open"
    """Seen, and not over as far as anybody knows."""
    RESOLVED = "resolved"
    """The world said that it is over (a `resolve` action)."""
    HEALED = "healed"
    """A healing was validated."""
    ECHO = "echo"
    """Reported only while its target settled after a repair, and gone when it was looked at; should
    it be reported once more, it is a new one."""
    MANUAL = "manual"
    """Handed to a human; the engine will not act on it again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with one component of one target."""

    id: str
    """Unique id, `ft-…`."""
    fingerprint: str
    """Stable identity of the fault; with `starts_at` it tells a repeat from a new fault."""
    type: str
    """One of `FAULT_TYPES`, or the rulebook's own."""
    severity: Severity
    """How bad it is."""
    component: str
    """Part of the system, a name of the operator's choice."""
    target: str
    """Host, instance or address at fault; also the resource that is locked while healing."""
    message: str
    """One line for people."""
    starts_at: float
    """Unix time at which it began, as the source says, else when first seen."""
    last_seen: float
    """Unix time of the newest event that reported it."""
    root_cause: str = ""
    """Root cause the rule names; empty when diagnosis must find one."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of the alert that reported it."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The reporting event and whatever else is evidence."""
    state: FaultState = FaultState.OPEN
    """Whether it still stands."""
    count: int = 1
    """How many events have reported it."""
    ended_at: float | None = None
    """Unix time at which it was over."""
    incident_id: str = ""
    """The incident it belongs to."""
    ruleset: str = ""
    """Ruleset whose rule opened it."""
    rule: str = ""
    """Rule that opened it."""
    event_id: str = ""
    """First event that reported it."""


class IncidentState(Enum):
    """Where an incident stands."""

    OPEN = "open"
    """Healing is under way or waiting."""
    HEALED = "healed"
    """A healing was validated."""
    RESOLVED = "resolved"
    """It went away by itself."""
    MANUAL = "manual"
    """A human was told; the engine leaves it alone."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Faults that are handled as one."""

    id: str
    """Unique id, `in-…`."""
    primary_fault_id: str
    """The fault that is healed."""
    state: IncidentState
    """Where it stands."""
    opened_at: float
    """Unix time."""
    closed_at: float | None = None
    """Unix time, None while open."""
