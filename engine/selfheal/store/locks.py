"""Locks on resources: leases, taken all or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from selfheal.model import Healing, Lock
from selfheal.ports.locks import EVERY_HOST, HOST, Lease
from selfheal.store.codec import from_row, from_text, to_row, to_text
from selfheal.store.repository import Repository

_CHUNK = 500  # SQLite bounds the number of values in one statement


class Locks(Repository):
    """Implements `ports.LockRecord`."""

    def set_locks(self, healing_id: str, names: Sequence[str]) -> None:
        with self._db.writing(durable=False):
            self._update("healings", healing_id, {"locks": to_text(tuple(names))})

    def take_locks(self, healing_id: str, at: float, lease: Lease) -> bool:
        with self._db.writing():
            row = self._one("healings", healing_id)
            names = from_text(tuple[str, ...], row["locks"]) or (row["resource"],)
            others = self._others(healing_id, names)
            if not all(lease.is_dead(lock) for lock in others):
                return False
            self._free("resource", [lock.resource for lock in others])
            self._free("healing_id", [healing_id])
            for name in sorted(set(names)):
                lock = Lock(name, healing_id, lease.holder, at, lease.expires_at)
                self._db.insert("locks", to_row(lock))
            return True

    def locks(self) -> list[Lock]:
        return [from_row(Lock, row) for row in self._db.rows("SELECT * FROM locks ORDER BY 1")]

    def locks_against(self, healing: Healing) -> list[Lock]:
        with self._db.reading():
            return self._others(healing.id, healing.locks or (healing.resource,))

    def renew_locks(self, healing_ids: Sequence[str], expires_at: float) -> None:
        with self._db.writing():
            for some in _chunks(healing_ids):
                marks = ", ".join("?" * len(some))
                statement = f"UPDATE locks SET expires_at = ? WHERE healing_id IN ({marks})"  # noqa: S608 (only marks are put in)
                self._db.execute(statement, (expires_at, *some))

    def idle_holders(self) -> frozenset[str]:
        statement = (
            "SELECT DISTINCT healing_id FROM locks JOIN healings ON healings.id = healing_id "
            "WHERE waiting != 'null'"
        )
        return frozenset(row["healing_id"] for row in self._db.rows(statement))

    def let_in(self) -> frozenset[str]:
        return frozenset(row["id"] for row in self._db.rows("SELECT id FROM rail_running"))

    def _others(self, healing_id: str, names: Sequence[str]) -> list[Lock]:
        """Return the locks of other healings that keep this one from taking `names`."""
        wanted, condition = list(names), ""
        if any(name in EVERY_HOST for name in names):
            condition = f"OR substr(resource, 1, {len(HOST)}) = '{HOST}'"
        if condition or any(name.startswith(HOST) for name in names):
            wanted += EVERY_HOST
        marks = ", ".join("?" * len(wanted))
        statement = (
            f"SELECT * FROM locks WHERE healing_id != ? AND (resource IN ({marks}) {condition}) "  # noqa: S608 (only marks are put in)
            "ORDER BY resource"
        )
        return [from_row(Lock, row) for row in self._db.rows(statement, (healing_id, *wanted))]

    def _free(self, column: str, values: Iterable[str]) -> None:
        for value in values:
            self._db.execute(f'DELETE FROM locks WHERE "{column}" = ?', (value,))  # noqa: S608 (names are the code's own)


def _chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))
