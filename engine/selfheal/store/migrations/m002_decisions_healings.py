"""What was decided, and what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m002_decisions_healings(db: Database) -> None:
    """What was decided, and what was done."""
    _create_decisions(db)
    _create_healings(db)
    _create_attempts(db)
    _create_steps(db)


def _create_decisions(db: Database) -> None:
    db.table("decisions").create(
        {
            "id": str,
            "incident_id": str,
            "fault_id": str,
            "at": float,
            "strategy": str,
            "solution": str,
            "confidence": float,
            "risk": str,
            "requires_approval": int,
            "refused": str,
            "reasoning": str,
            "votes": str,
        },
        pk="id",
    ).create_index(["incident_id"])


def _create_healings(db: Database) -> None:
    db.table("healings").create(
        {
            "id": str,
            "incident_id": str,
            "fault_id": str,
            "resource": str,
            "state": str,
            "ladder": str,
            "context": str,
            "created_at": float,
            "started_at": float,
            "ended_at": float,
            "outcome": str,
            "reason": str,
            "stop_requested": str,
            "origin": str,
            "options": str,
        },
        pk="id",
    ).create_index(["created_at"]).create_index(["incident_id"])
    db.execute(
        "CREATE UNIQUE INDEX one_open_healing_a_fault ON healings (fault_id) "
        "WHERE state != 'done' AND fault_id != ''"
    )
    db.execute(
        "CREATE UNIQUE INDEX one_running_healing_a_resource ON healings (resource) "
        "WHERE state = 'running'"
    )


def _create_attempts(db: Database) -> None:
    db.table("attempts").create(
        {
            "id": str,
            "healing_id": str,
            "rung": int,
            "solution": str,
            "started_at": float,
            "ended_at": float,
            "outcome": str,
            "validated_at": float,
        },
        pk="id",
        foreign_keys=[("healing_id", "healings", "id")],
    ).create_index(["healing_id"]).create_index(["solution"])
    db.table("validations").create(
        {
            "attempt_id": str,
            "seq": int,
            "name": str,
            "ok": int,
            "detail": str,
            "tries": int,
            "started_at": float,
            "ended_at": float,
        },
        pk=("attempt_id", "seq"),
        foreign_keys=[("attempt_id", "attempts", "id")],
    )


def _create_steps(db: Database) -> None:
    db.table("steps").create(
        {
            "ident": str,
            "attempt_id": str,
            "kind": str,
            "index": int,
            "name": str,
            "playbook": str,
            "state": str,
            "started_at": float,
            "ended_at": float,
            "rc": int,
            "message": str,
            "stats": str,
        },
        pk="ident",
        foreign_keys=[("attempt_id", "attempts", "id")],
    ).create_index(["attempt_id"])
    db.table("tasks").create(
        {
            "ident": str,
            "seq": int,
            "host": str,
            "task": str,
            "module": str,
            "status": str,
            "duration": float,
            "message": str,
            "result": str,
            "at": float,
        },
        pk=("ident", "seq"),
        foreign_keys=[("ident", "steps", "ident")],
    )
