"""Locks on resources, what a healing waits for, and the batches of an attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m006_locks(db: Database) -> None:
    """Locks on resources, what a healing waits for, and the batches of an attempt.

    A lock is a row, so the file itself keeps two healings off one resource."""
    db.execute("ALTER TABLE healings ADD COLUMN locks TEXT NOT NULL DEFAULT '[]'")
    db.execute("ALTER TABLE healings ADD COLUMN waiting TEXT NOT NULL DEFAULT 'null'")
    db.execute("ALTER TABLE attempts ADD COLUMN batch INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE attempts ADD COLUMN hosts TEXT NOT NULL DEFAULT '[]'")
    db.execute("ALTER TABLE attempts ADD COLUMN reason TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE attempts ADD COLUMN validating_since FLOAT")
    db.execute("DROP INDEX one_running_healing_a_resource")
    db.execute("CREATE INDEX open_healings ON healings (created_at) WHERE state != 'done'")
    db.table("locks").create(
        {
            "resource": str,
            "healing_id": str,
            "holder": str,
            "taken_at": float,
            "expires_at": float,
        },
        pk="resource",
        foreign_keys=[("healing_id", "healings", "id")],
    ).create_index(["healing_id"])
