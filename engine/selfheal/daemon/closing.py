"""An incident that a human has seen to is closed by hand."""

from __future__ import annotations

from selfheal.model import FaultState, HealingState, Incident, IncidentState, Kind
from selfheal.ports import Record


def close_by_hand(record: Record, incident: Incident, why: str, now: float) -> None:
    """Note the incident and its fault as resolved; a healing under way is asked to stop.

    Whatever the engine does meanwhile, the fault is resolved: a healing that ends later finds
    it so and changes nothing about the incident but its own outcome."""
    with record.transaction():
        record.set_fault_state(incident.primary_fault_id, FaultState.RESOLVED, now)
        record.set_incident_state(incident.id, IncidentState.RESOLVED, now)
        for healing in record.healings(incident_id=incident.id):
            if healing.state is not HealingState.DONE:
                record.request_stop(healing.id, f"closed by hand: {why}")
        record.tell(Kind.FAULT, f"closed by hand: {why}", incident_id=incident.id)
