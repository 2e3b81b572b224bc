"""Incidents: faults that are handled as one."""

from __future__ import annotations

from selfheal.model import Incident, IncidentState
from selfheal.store.codec import from_row
from selfheal.store.repository import Repository


class Incidents(Repository):
    """Implements the incidents of `ports.FaultRecord`."""

    def set_incident_state(self, incident_id: str, state: IncidentState, at: float) -> None:
        closed_at = None if state is IncidentState.OPEN else at
        self._update("incidents", incident_id, {"state": state.value, "closed_at": closed_at})

    def incident(self, incident_id: str) -> Incident:
        return from_row(Incident, self._by_prefix("incidents", incident_id))

    def incidents(self, *, limit: int = 50, state: str = "") -> list[Incident]:
        rows = self._where("incidents", "rowid DESC", limit, state=state)
        return [from_row(Incident, row) for row in rows]
