"""Timeline: the append-only story of everything a stage decided or did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Kind(Enum):
    """What an entry of the timeline tells."""

    ENGINE = "engine"
    """Started, ready, draining, stopped, reloaded, refused a reload."""
    EVENT = "event"
    """An event was taken in (only events that fired a rule are told here)."""
    RULE = "rule"
    """A rule fired."""
    ACTION = "action"
    """An action of a rule ended."""
    FAULT = "fault"
    """A fault was opened, repeated, resolved, healed."""
    DECISION = "decision"
    """A rung was chosen, or refused."""
    APPROVAL = "approval"
    """A human was asked, answered, or did not in time; a yes was given ahead of time."""
    RAIL = "rail"
    """Paused, resumed, silenced; a window or a storm; autonomy was changed or proposed."""
    HEALING = "healing"
    """A healing was queued, started, ended."""
    ATTEMPT = "attempt"
    """A rung was begun or ended."""
    STEP = "step"
    """A playbook run was begun or ended."""
    TASK = "task"
    """An Ansible task ended on a host."""
    VALIDATION = "validation"
    """A validation was begun or ended."""
    NOTIFICATION = "notification"
    """A human was told, or could not be."""
    SOURCE = "source"
    """A source started, failed, ended."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline."""

    seq: int
    """Order; gapless within one database."""
    at: float
    """Unix time."""
    kind: Kind
    """What it tells."""
    text: str
    """One line for people."""
    incident_id: str = ""
    """The incident it belongs to, when there is one."""
    healing_id: str = ""
    """The healing it belongs to, when there is one."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same for programs; JSON."""
