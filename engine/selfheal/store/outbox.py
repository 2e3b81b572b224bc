"""Messages to people, until they are delivered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from selfheal.model import Delivery, DeliveryState, Notification
from selfheal.store.codec import from_row, to_row
from selfheal.store.repository import Repository

_JOINED = """
SELECT notifications.*, deliveries.* FROM deliveries
JOIN notifications ON notifications.id = deliveries.notification_id
"""
_BUNDLED = """
SELECT notifications.*, '' AS body, '{}' AS data, deliveries.* FROM deliveries
JOIN notifications ON notifications.id = deliveries.notification_id
WHERE bundle = ? AND bundle != '' ORDER BY seq
"""
_HEARD = """
SELECT ended_at FROM deliveries
WHERE target = ? AND state = 'delivered' AND asks = 0 AND ended_at <= ?
ORDER BY ended_at DESC LIMIT 1 OFFSET ?
"""
_HOLD = """
UPDATE deliveries SET state = 'held'
WHERE target = ? AND ended_at IS NULL AND asks = 0 AND state = 'waiting'
"""
_BUNDLE_UP = """
UPDATE deliveries SET state = 'held', bundle = ?
WHERE target = ? AND ended_at IS NULL AND asks = 0 AND bundle = ''
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
                delivery = Delivery(notification, target, asks=notification.asks)
                row = to_row(delivery, without=frozenset({"notification"}))
                self._db.insert("deliveries", row | {"notification_id": notification.id})
            return True

    def next_delivery(self, target: str, *, besides: Sequence[str] = ()) -> Delivery | None:
        row = self._db.row(
            f"{_JOINED} WHERE target = ? AND ended_at IS NULL "  # noqa: S608 (the code's own text)
            "AND notification_id NOT IN (SELECT value FROM json_each(?)) "
            "ORDER BY asks DESC, seq LIMIT 1",
            (target, json.dumps(list(besides))),
        )
        return _delivery(row) if row else None

    def heard_at(self, target: str, back: int, now: float) -> float | None:
        row = self._db.row(_HEARD, (target, now, back - 1))
        return float(row["ended_at"]) if row else None

    def hold(self, target: str) -> None:
        with self._db.writing(durable=False):
            self._db.execute(_HOLD, (target,))

    def bundle_up(self, target: str, bundle: str) -> None:
        with self._db.writing():
            self._db.execute(_BUNDLE_UP, (bundle, target))

    def bundled(self, bundle: str) -> list[Delivery]:
        return [_delivery(row) for row in self._db.rows(_BUNDLED, (bundle,))]

    def put_in_bundle(self, deliveries: Sequence[Delivery], bundle: str) -> None:
        with self._db.writing():
            for delivery in deliveries:
                self._db.execute(
                    f"UPDATE deliveries SET bundle = ? WHERE {_ONE}",  # noqa: S608 (the code's own text)
                    (bundle, *_key(delivery)),
                )

    def delivery_failed(self, delivery: Delivery, error: str, waited: float = 0.0) -> None:
        self._db.execute(
            "UPDATE deliveries SET tries = tries + 1, error = ?, waited = waited + ? "  # noqa: S608 (the code's own text)
            f"WHERE {_ONE}",
            (error, waited, *_key(delivery)),
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
            "UPDATE deliveries SET waited = waited + ? WHERE target = ? AND ended_at IS NULL",
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
