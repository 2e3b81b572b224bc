"""Run one drill and read its course from the engine's record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.servers import await_fact

from benchmarks.drills.faults import Drill
from benchmarks.drills.web_tier import WebTier
from selfheal.model import Fault, Healing, Incident, IncidentState, Kind

LONGEST_HEALING = 60.0


@dataclass(frozen=True, slots=True)
class Course:
    """What happened, with the times of it (Unix)."""

    began_at: float
    """The fault."""
    alert: dict[str, Any]
    """Alertmanager's alert, as the engine took it in."""
    alert_at: float
    """When the engine took it in."""
    task_at: float
    """When the first Ansible task started."""
    incident: Incident
    """As the engine closed it."""
    fault: Fault
    """The incident's fault."""
    healing: Healing
    """Ended."""
    healings: tuple[Healing, ...]
    """All that the drill led to, until its alert was over; one is right."""

    @property
    def ended_at(self) -> float:
        """When the healing was proven, or given up."""
        assert self.healing.ended_at is not None
        return self.healing.ended_at


def run_drill(tier: WebTier, drill: Drill) -> Course:
    """Break, await the engine's end of it, look at the world, mend, await green.

    Raises AssertionError when the world is not as the drill says, TimeoutError when nothing comes.
    """
    tier.await_green()
    began_at = drill.break_it(tier)
    await_fact(f"{drill.name}: broken", lambda: drill.broken(tier), within=5.0)
    (incident,) = await_fact(
        f"{drill.name}: the incident is closed",
        lambda: _closed_incidents(tier, drill, began_at),
        within=LONGEST_HEALING,
    )
    assert incident.state is drill.ends_as, f"{incident.state}\n{story(tier, incident)}"
    assert drill.healed(tier), f"the world is not as it should be\n{story(tier, incident)}"
    drill.mend(tier)
    tier.await_green()
    return _course(tier, incident, began_at)


def story(tier: WebTier, incident: Incident) -> str:
    """The timeline of an incident, for people."""
    entries = tier.record.entries(incident_id=incident.id)
    return "\n".join(f"{entry.at:.2f} {entry.kind.value}: {entry.text}" for entry in entries)


def _closed_incidents(tier: WebTier, drill: Drill, began_at: float) -> list[Incident]:
    return [
        incident
        for incident in tier.record.incidents()
        if incident.opened_at >= began_at
        and incident.state is not IncidentState.OPEN
        and tier.record.fault(incident.primary_fault_id).component == drill.component
    ]


def _course(tier: WebTier, incident: Incident, began_at: float) -> Course:
    record = tier.record
    fault = record.fault(incident.primary_fault_id)
    event = record.event(fault.event_id)
    healings = [one for one in record.healings() if one.created_at >= began_at]
    (healing,) = record.healings(incident_id=incident.id)
    return Course(
        began_at=began_at,
        alert=event.body["alert"],
        alert_at=event.received_at,
        task_at=_first_task(tier, healing),
        incident=incident,
        fault=fault,
        healing=healing,
        healings=tuple(healings),
    )


def _first_task(tier: WebTier, healing: Healing) -> float:
    """Tasks are told when they end, with how long they took."""
    entries = tier.record.entries(healing_id=healing.id)
    tasks = [entry for entry in entries if entry.kind is Kind.TASK]
    return min(entry.at - float(entry.data["duration"]) for entry in tasks)
