"""What was seen, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m001_events_faults_incidents(db: Database) -> None:
    """What was seen, and what is wrong."""
    db.table("events").create(
        {"id": str, "source": str, "received_at": float, "body": str, "meta": str}, pk="id"
    )
    db.table("incidents").create(
        {
            "id": str,
            "primary_fault_id": str,
            "state": str,
            "opened_at": float,
            "closed_at": float,
        },
        pk="id",
    ).create_index(["opened_at"])
    db.table("faults").create(
        {
            "id": str,
            "fingerprint": str,
            "type": str,
            "severity": str,
            "component": str,
            "target": str,
            "message": str,
            "starts_at": float,
            "last_seen": float,
            "root_cause": str,
            "labels": str,
            "metadata": str,
            "state": str,
            "count": int,
            "ended_at": float,
            "incident_id": str,
            "ruleset": str,
            "rule": str,
            "event_id": str,
        },
        pk="id",
        foreign_keys=[("incident_id", "incidents", "id")],
    ).create_index(["fingerprint", "starts_at"], unique=True).create_index(["component", "target"])
    # One fault of a fingerprint stands at a time; one handed to a human stands until resolved.
    db.execute(
        "CREATE UNIQUE INDEX one_standing_fault ON faults (fingerprint) "
        "WHERE state IN ('open', 'manual')"
    )
