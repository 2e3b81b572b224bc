"""The inbox: messages from other processes to the engine."""

from __future__ import annotations

from selfheal.ports import JSON
from selfheal.store.codec import from_text, to_text
from selfheal.store.repository import Repository


class Messages(Repository):
    """Implements `ports.Inbox`."""

    def post(self, kind: str, payload: JSON, at: float) -> int:
        return self._db.insert("inbox", {"kind": kind, "payload": to_text(payload), "at": at})

    def take(self, *, only: str = "", but: str = "") -> list[tuple[int, str, JSON]]:
        rows = self._db.rows(
            "SELECT * FROM inbox WHERE done_at IS NULL AND (? = '' OR kind = ?) AND kind <> ?"
            " ORDER BY id",
            (only, only, but),
        )
        return [(row["id"], row["kind"], from_text(JSON, row["payload"])) for row in rows]

    def done(self, message_id: int, note: str = "") -> None:
        self._update("inbox", str(message_id), {"done_at": self._clock.now(), "note": note})
