"""The timeline: the append-only story."""

from __future__ import annotations

from selfheal.model import Entry, Kind
from selfheal.ports import JSON
from selfheal.store.codec import from_row, to_text
from selfheal.store.repository import Repository

_TELL = """
INSERT INTO timeline (at, kind, text, incident_id, healing_id, data) VALUES (?, ?, ?, ?, ?, ?)
"""
_LEAP = """
SELECT 1 FROM (
    SELECT at, at - lag(at) OVER (ORDER BY seq) AS passed
    FROM (SELECT seq, at FROM timeline ORDER BY seq DESC LIMIT 1000)
) WHERE at > ? AND passed > ? LIMIT 1
"""


class Story(Repository):
    """Implements `ports.Timeline`."""

    def tell(
        self,
        kind: Kind,
        text: str,
        *,
        incident_id: str = "",
        healing_id: str = "",
        data: JSON | None = None,
    ) -> Entry:
        at, told = self._clock.now(), data or {}
        # By hand: several a matched event, they are what the record writes most.
        values = (at, kind.value, text, incident_id, healing_id, to_text(told))
        with self._db.one_statement(durable=False):
            seq = self._db.execute(_TELL, values).lastrowid or 0
        return Entry(seq, at, kind, text, incident_id, healing_id, told)

    def entries(
        self, *, after: int = 0, limit: int = 1000, incident_id: str = "", healing_id: str = ""
    ) -> list[Entry]:
        rows = self._where(
            "timeline",
            "seq",
            limit,
            "seq > ?",
            after,
            incident_id=incident_id,
            healing_id=healing_id,
        )
        return [from_row(Entry, row) for row in rows]

    def time_leapt(self, seconds: float, *, since: float) -> bool:
        """Tell whether between two of the newest entries more time passed, the later one being
        of after `since` (Unix time)."""
        return self._db.row(_LEAP, (since, seconds)) is not None

    def last_entry(self, kind: Kind, *, with_data: str = "") -> Entry | None:
        row = self._db.row(
            "SELECT * FROM timeline WHERE kind = ? AND (? = '' OR EXISTS "
            "(SELECT 1 FROM json_each(data) WHERE key = ?)) ORDER BY seq DESC LIMIT 1",
            (kind.value, with_data, with_data),
        )
        return from_row(Entry, row) if row else None
