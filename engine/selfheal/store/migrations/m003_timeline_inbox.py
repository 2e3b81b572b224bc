"""The story, and the messages from other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


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
