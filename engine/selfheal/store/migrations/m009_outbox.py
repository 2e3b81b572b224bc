"""Messages to people that are still on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m009_outbox(db: Database) -> None:
    """Messages to people that are still on their way."""
    db.table("notifications").create(
        {
            "id": str,
            "at": float,
            "subject": str,
            "body": str,
            "cause": str,
            "incident_id": str,
            "healing_id": str,
            "data": str,
        },
        pk="id",
    ).create_index(["incident_id"]).create_index(["at"])
    # One cause is told once, whoever tells it and however often the engine died meanwhile.
    db.execute("CREATE UNIQUE INDEX one_telling_a_cause ON notifications (cause) WHERE cause != ''")
    db.table("deliveries").create(
        {
            "seq": int,
            "notification_id": str,
            "target": str,
            "state": str,
            "asks": int,
            "bundle": str,
            "tries": int,
            "waited": float,
            "error": str,
            "ended_at": float,
        },
        pk="seq",
        foreign_keys=[("notification_id", "notifications", "id")],
    ).create_index(["notification_id"])
    db.execute(
        "CREATE INDEX deliveries_waiting ON deliveries (target, asks DESC, seq) "
        "WHERE ended_at IS NULL"
    )
    # When a target heard its last few messages decides whether it hears the next one now.
    db.execute(
        "CREATE INDEX deliveries_heard ON deliveries (target, ended_at) "
        "WHERE state = 'delivered' AND asks = 0"
    )
    db.execute("CREATE INDEX deliveries_bundle ON deliveries (bundle) WHERE bundle != ''")
