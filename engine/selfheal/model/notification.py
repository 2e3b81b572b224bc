"""Notification: what a human is told, and how far each telling has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class DeliveryState(Enum):
    """Where a delivery stands."""

    WAITING = "waiting"
    """Not delivered yet; tried until it is, or until it is given up."""
    HELD = "held"
    """The target has heard enough for now: goes out with others in one bundle."""
    DELIVERED = "delivered"
    """The target has taken it, by itself or in a bundle."""
    GIVEN_UP = "given_up"
    """Tried for a day, refused for good, or its target is gone from the configuration."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to humans."""

    id: str
    """Id, `no-…`; receivers get it as the key by which they can drop a repeat."""
    at: float
    """Unix time."""
    subject: str
    """One line."""
    body: str
    """The evidence."""
    cause: str = ""
    """What it is about; one cause is told once. Empty: never a repeat."""
    incident_id: str = ""
    """The incident, when there is one."""
    healing_id: str = ""
    """The healing, when there is one."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The same for programs; JSON."""

    @property
    def asks(self) -> bool:
        """Whether it is a question that somebody must answer in time."""
        return bool(self.data.get("approval_id"))


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification on its way to one target."""

    notification: Notification
    """What is told."""
    target: str
    """Name of the target."""
    state: DeliveryState = DeliveryState.WAITING
    """Where it stands."""
    asks: bool = False
    """Whether it is a question: goes out by itself, before what else waits."""
    bundle: str = ""
    """Id of the message that it goes out in, together with others; empty: by itself."""
    tries: int = 0
    """How often it failed."""
    waited: float = 0.0
    """Seconds an engine has spent on trying, whatever the wall clock did."""
    error: str = ""
    """Why it failed last."""
    ended_at: float | None = None
    """Unix time of the delivery, or of giving up."""
