"""Decisions, each with its reasons."""

from __future__ import annotations

from selfheal.model import Decision
from selfheal.store.codec import from_row, to_row
from selfheal.store.repository import Repository


class Decisions(Repository):
    """Implements the decisions of `ports.Record`."""

    def add_decision(self, decision: Decision) -> None:
        self._db.insert("decisions", to_row(decision))

    def decisions(self, incident_id: str) -> list[Decision]:
        rows = self._db.rows(
            "SELECT * FROM decisions WHERE incident_id = ? ORDER BY rowid", (incident_id,)
        )
        return [from_row(Decision, row) for row in rows]
