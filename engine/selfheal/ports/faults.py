"""Faults and incidents in the record, and what actions do to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from selfheal.model import (
    Fault,
    FaultState,
    Incident,
    IncidentState,
)


class FaultRecord(Protocol):
    """Faults and incidents in the record."""

    def open_fault(self, fault: Fault) -> tuple[Fault, bool]:
        """Open the fault, with an incident of its own, or count it as a repeat.

        Returns the recorded fault and True when it is new. A repeat has the fingerprint and the
        `starts_at` of a recorded fault, or the fingerprint of one that stands: open, or handed to
        a human (MANUAL) and not resolved since; or of one that was HEALED after the report's
        `last_seen`: what came before the repair was proven is no new fault."""
        ...

    def resolve_faults(self, component: str, target: str, at: float) -> list[Fault]:
        """Mark the standing faults (OPEN, MANUAL) of component, and of target unless empty, as
        resolved; return them as they are now."""
        ...

    def set_fault_state(self, fault_id: str, state: FaultState, at: float) -> None: ...

    def set_incident_state(self, incident_id: str, state: IncidentState, at: float) -> None: ...

    def fault(self, fault_id: str) -> Fault:
        """Raises NotFoundError."""
        ...

    def incident(self, incident_id: str) -> Incident:
        """Raises NotFoundError; an unambiguous prefix of the id is enough."""
        ...

    def incidents(self, *, limit: int = 50, state: str = "") -> list[Incident]:
        """Newest first."""
        ...


Heal = Callable[[Fault], Awaitable[None]]
"""What the `heal` action calls: open or join the fault, and see to it."""
Resolve = Callable[[str, str], Awaitable[None]]
"""What the `resolve` action calls: component and target."""
