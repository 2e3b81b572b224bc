"""The timeline: the append-only story."""

from __future__ import annotations

from dataclasses import replace

from selfheal.model import Entry, Kind
from selfheal.ports import JSON
from selfheal.store.codec import from_row, to_row
from selfheal.store.repository import Repository

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
        entry = Entry(0, self._clock.now(), kind, text, incident_id, healing_id, data or {})
        with self._db.one_statement(durable=False):
            seq = self._db.insert("timeline", to_row(entry, without=frozenset({"seq"})))
        return replace(entry, seq=seq)

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

    def last_entry(self, kind: Kind) -> Entry | None:
        row = self._db.row(
            "SELECT * FROM timeline WHERE kind = ? ORDER BY seq DESC LIMIT 1", (kind.value,)
        )
        return from_row(Entry, row) if row else None
