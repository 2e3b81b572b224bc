"""Messages to people, until they are delivered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from selfheal.model import Delivery, DeliveryState, Notification
from selfheal.store.codec import from_row, to_row
from selfheal.store.repository import Repository

_JOINED = """
SELECT notifications.*, deliveries.* FROM deliveries
JOIN notifications ON notifications.id = deliveries.notification_id
"""
_ONE = "notification_id = ? AND target = ?"


class Outbox(Repository):
    """Implements `ports.OutboxRecord`."""

    def add_notification(self, notification: Notification, targets: Sequence[str]) -> bool:
        with self._db.writing():
            known = "SELECT 1 FROM notifications WHERE cause = ? AND cause != ''"
            if self._db.row(known, (notification.cause,)):
                return False
            self._db.insert("notifications", to_row(notification))
            for target in targets:
                row = to_row(Delivery(notification, target), without=frozenset({"notification"}))
                self._db.insert("deliveries", row | {"notification_id": notification.id})
            return True

    def next_delivery(self, target: str) -> Delivery | None:
        row = self._db.row(
            f"{_JOINED} WHERE target = ? AND state = 'waiting' ORDER BY seq LIMIT 1", (target,)
        )
        return _delivery(row) if row else None

    def delivery_failed(self, delivery: Delivery, error: str) -> None:
        self._db.execute(
            f"UPDATE deliveries SET tries = tries + 1, error = ? WHERE {_ONE}",  # noqa: S608 (the code's own text)
            (error, *_key(delivery)),
        )

    def end_delivery(
        self, delivery: Delivery, state: DeliveryState, at: float, error: str = ""
    ) -> None:
        self._db.execute(
            f"UPDATE deliveries SET state = ?, ended_at = ?, error = ? WHERE {_ONE}",  # noqa: S608 (the code's own text)
            (state.value, at, error, *_key(delivery)),
        )

    def add_waiting_time(self, target: str, seconds: float) -> None:
        self._db.execute(
            "UPDATE deliveries SET waited = waited + ? WHERE target = ? AND state = 'waiting'",
            (seconds, target),
        )

    def deliveries(
        self, *, limit: int = 50, state: str = "", target: str = "", incident_id: str = ""
    ) -> list[Delivery]:
        rows = self._db.rows(
            f"{_JOINED} WHERE ? IN ('', state) AND ? IN ('', target) AND ? IN ('', incident_id) "
            "ORDER BY seq LIMIT ?",
            (state, target, incident_id, limit),
        )
        return [_delivery(row) for row in rows]


def _key(delivery: Delivery) -> tuple[str, str]:
    return delivery.notification.id, delivery.target


def _delivery(row: dict[str, Any]) -> Delivery:
    return from_row(Delivery, row, notification=from_row(Notification, row))
