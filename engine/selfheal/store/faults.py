"""Faults: opened once, then counted."""

from __future__ import annotations

from dataclasses import replace

from selfheal.model import Fault, FaultState, Incident, IncidentState, new_id
from selfheal.store.codec import from_row, to_row
from selfheal.store.repository import Repository

# A standing fault takes in every report of its fingerprint; a closed one its own repeats, and when
# it was healed what had come before that and is matched only now. An end in the future tells of a
# clock that was set back, and nothing of what came before it. An echo that is heard again was none.
_KNOWN = """
SELECT * FROM faults
WHERE fingerprint = :fingerprint AND (state IN ('open', 'manual')
    OR (starts_at = :starts_at AND (state != 'echo' OR ended_at >= :seen))
    OR (state = 'healed' AND ended_at > :seen AND ended_at <= :now))
ORDER BY state IN ('open', 'manual') DESC, starts_at = :starts_at DESC, ended_at DESC LIMIT 1
"""

# The start was never the echo's: it belongs to what is heard still. Two echoes of one fingerprint
# have no two starts alike, whatever the clock did.
_HEARD_AGAIN = """
UPDATE faults SET starts_at = ended_at + rowid * 1e-6
WHERE fingerprint = :fingerprint AND starts_at = :starts_at AND state = 'echo'
"""


class Faults(Repository):
    """Implements the faults of `ports.FaultRecord`."""

    def open_fault(self, fault: Fault) -> tuple[Fault, bool]:
        with self._db.writing():
            report = {
                "fingerprint": fault.fingerprint,
                "starts_at": fault.starts_at,
                "seen": fault.last_seen,
                "now": self._clock.now(),
            }
            known = self._db.row(_KNOWN, report)
            if known is None:
                self._db.execute(_HEARD_AGAIN, report)
                return self._open(fault), True
            return self._repeat(from_row(Fault, known), fault.last_seen), False

    def resolve_faults(self, component: str, target: str, at: float) -> list[Fault]:
        with self._db.writing():
            rows = self._db.rows(
                "SELECT * FROM faults WHERE state IN ('open', 'manual') AND component = ? "
                "AND (? = '' OR target = ?) ORDER BY starts_at, id",
                (component, target, target),
            )
            for row in rows:
                self.set_fault_state(row["id"], FaultState.RESOLVED, at)
            return [self.fault(row["id"]) for row in rows]

    def set_fault_state(self, fault_id: str, state: FaultState, at: float) -> None:
        over = state not in (FaultState.OPEN, FaultState.MANUAL)
        self._update("faults", fault_id, {"state": state.value, "ended_at": at if over else None})

    def fault(self, fault_id: str) -> Fault:
        return from_row(Fault, self._one("faults", fault_id))

    def _open(self, fault: Fault) -> Fault:
        incident = Incident(
            id=new_id("in"),
            primary_fault_id=fault.id,
            state=IncidentState.OPEN,
            opened_at=self._clock.now(),
        )
        opened = replace(fault, incident_id=incident.id)
        self._db.insert("incidents", to_row(incident))
        self._db.insert("faults", to_row(opened))
        return opened

    def _repeat(self, known: Fault, seen: float) -> Fault:
        newest = max(known.last_seen, seen)
        again = replace(known, count=known.count + 1, last_seen=newest)
        self._update("faults", known.id, {"count": again.count, "last_seen": again.last_seen})
        return again
