"""Nouns as plain JSON data; times are Unix seconds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from selfheal.model import Healing, Incident, Kind
from selfheal.ports import Record
from selfheal.store.codec import to_text

if TYPE_CHECKING:
    from selfheal.store import SqliteRecord


def plain(noun: Any) -> Any:
    """Return a noun, or a list of them, as JSON data."""
    return json.loads(to_text(noun))


def status(record: Record) -> dict[str, Any]:
    """Return what the engine is doing, in numbers; quick however many there are."""
    last = record.last_entry(Kind.ENGINE)
    return {
        "incidents": _by_state(record, "incidents"),
        "healings": _by_state(record, "healings"),
        "approvals": _by_state(record, "approvals"),
        "engine_last_said": plain(last) if last else None,
    }


def incident_row(record: Record, incident: Incident) -> dict[str, Any]:
    """Return an incident with what matters of its fault."""
    fault = record.fault(incident.primary_fault_id)
    return {
        "id": incident.id,
        "state": incident.state.value,
        "type": fault.type,
        "severity": fault.severity.value,
        "component": fault.component,
        "target": fault.target,
        "root_cause": fault.root_cause,
        "message": fault.message,
        "reports": fault.count,
        "opened_at": incident.opened_at,
        "closed_at": incident.closed_at,
    }


def incident(record: Record, one: Incident) -> dict[str, Any]:
    """Return everything on an incident: fault, decisions, the story."""
    return {
        **incident_row(record, one),
        "fault": plain(record.fault(one.primary_fault_id)),
        "decisions": plain(record.decisions(one.id)),
        "runs": [run_row(found) for found in record.healings(incident_id=one.id)],
        "timeline": plain(record.entries(incident_id=one.id, limit=10_000)),
    }


def run_row(healing: Healing) -> dict[str, Any]:
    """Return how far a healing has come."""
    return {
        "id": healing.id,
        "incident_id": healing.incident_id,
        "state": healing.state.value,
        "outcome": healing.outcome.value if healing.outcome else None,
        "reason": healing.reason,
        "resource": healing.resource,
        "solution": healing.attempts[-1].solution if healing.attempts else None,
        "attempts": len(healing.attempts),
        "waiting": plain(healing.waiting),
        "created_at": healing.created_at,
        "started_at": healing.started_at,
        "ended_at": healing.ended_at,
    }


def run(record: Record, healing: Healing) -> dict[str, Any]:
    """Return everything on a healing, each Ansible task of each step included."""
    idents = [step.ident for attempt in healing.attempts for step in attempt.steps]
    tasks = {ident: plain(record.tasks(ident)) for ident in idents}
    return {**plain(healing), "tasks": tasks}


def _by_state(record: Record, table: str) -> dict[str, int]:
    database = cast("SqliteRecord", record).db
    query = f"SELECT state, count(*) AS number FROM {table} GROUP BY 1 ORDER BY 1"  # noqa: S608 (names are the code's own)
    return {row["state"]: row["number"] for row in database.query(query)}
