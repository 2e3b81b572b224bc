"""The tables, as numbered steps: append-only, never edited once released."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from selfheal.clock import Clock
from selfheal.errors import StoreError
from selfheal.store.connection import APPLICATION_ID, Connection

if TYPE_CHECKING:
    from sqlite_utils import Database

_HISTORY = """
CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT, applied_at FLOAT)
"""


def migrate(db: Connection, clock: Clock) -> None:
    """Bring the file to this version of the code, each step and its note in one transaction.

    Raises StoreError for a file that a newer selfheal has written."""
    done = _applied(db)
    if done > len(MIGRATIONS):
        raise StoreError(
            f"{db.path} was written by a newer selfheal (format {done}, this one knows up to "
            f"{len(MIGRATIONS)}); upgrade selfheal, or give another path"
        )
    if done == len(MIGRATIONS):
        return
    from sqlite_utils import Database  # slow to import, and rarely needed

    tables = Database(db.raw)
    for number, step in enumerate(MIGRATIONS, 1):
        with db.writing():
            # Another process may have been faster while this one waited for the lock.
            if number > _applied(db):
                step(tables)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(_HISTORY)
                row = {"number": number, "name": step.__name__, "applied_at": clock.now()}
                db.insert("migrations", row)


def _applied(db: Connection) -> int:
    if not db.row("SELECT 1 FROM sqlite_master WHERE name = 'migrations'"):
        return 0
    row = db.row("SELECT max(number) AS number FROM migrations")
    return row["number"] or 0 if row else 0


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


def m003_timeline_inbox(db: Database) -> None:
    """The story, and the messages from other processes."""
    db.table("timeline").create(
        {
            "seq": int,
            "at": float,
            "kind": str,
            "text": str,
            "incident_id": str,
            "healing_id": str,
            "data": str,
        },
        pk="seq",
    ).create_index(["incident_id"]).create_index(["healing_id"])
    db.table("inbox").create(
        {"id": int, "kind": str, "payload": str, "at": float, "done_at": float, "note": str},
        pk="id",
    )
    db.execute("CREATE INDEX inbox_waiting ON inbox (id) WHERE done_at IS NULL")


def m004_solution_records(db: Database) -> None:
    """What the record says about solutions: computed, so that no counter can drift.

    An attempt in Ansible's check mode changed nothing and proves nothing: not counted."""
    db.create_view(
        "solution_records",
        """
        SELECT
            attempts.solution AS name,
            sum(attempts.outcome IN ('healed', 'failed', 'rolled_back', 'rollback_failed'))
                AS usage_count,
            sum(attempts.outcome = 'healed') AS healed,
            max(attempts.started_at) AS last_used,
            avg(CASE WHEN attempts.outcome = 'healed'
                THEN attempts.ended_at - faults.starts_at END) AS mttr
        FROM attempts
        JOIN healings ON healings.id = attempts.healing_id
        LEFT JOIN faults ON faults.id = healings.fault_id
        WHERE NOT coalesce(json_extract(healings.options, '$.check'), 0)
        GROUP BY attempts.solution
        """,
    )


MIGRATIONS: tuple[Callable[[Database], None], ...] = (
    m001_events_faults_incidents,
    m002_decisions_healings,
    m003_timeline_inbox,
    m004_solution_records,
)
