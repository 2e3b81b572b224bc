"""Health of the file: what SQLite says of it, and what must never be true of its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from selfheal.store.damage import damaged_tables
from selfheal.store.repository import Repository

_MOST_LINES = 100
_HOUSE_KEPT = 86_400.0
_SETTLING = 60.0  # seconds in which a starting engine works off what it found
_NEVER = (
    (
        "healing {id} is open, but its fault {fault_id} is not on record",
        "SELECT id, fault_id FROM healings WHERE state != 'done' AND fault_id != '' "
        "AND fault_id NOT IN (SELECT id FROM faults)",
    ),
    (
        "healing {id} is over, but holds the lock on {resource}",
        "SELECT healings.id, locks.resource FROM locks "
        "JOIN healings ON healings.id = locks.healing_id WHERE healings.state = 'done'",
    ),
    (
        "step {ident} counts as running, but its healing {id} is over",
        "SELECT steps.ident, healings.id FROM steps "
        "JOIN attempts ON attempts.id = steps.attempt_id "
        "JOIN healings ON healings.id = attempts.healing_id "
        "WHERE steps.state = 'running' AND healings.state = 'done'",
    ),
    (
        "attempt {id} has no outcome, but its healing {healing_id} is over",
        "SELECT attempts.id, attempts.healing_id FROM attempts "
        "JOIN healings ON healings.id = attempts.healing_id "
        "WHERE attempts.outcome IS NULL AND healings.state = 'done'",
    ),
    (
        "healing {id} is over without an outcome",
        "SELECT id FROM healings WHERE state = 'done' AND outcome IS NULL",
    ),
    (
        "incident {id} has no fault",
        "SELECT id FROM incidents WHERE primary_fault_id NOT IN (SELECT id FROM faults)",
    ),
    (
        "fault {id} is open, but its incident {incident_id} is closed",
        "SELECT faults.id, faults.incident_id FROM faults "
        "JOIN incidents ON incidents.id = faults.incident_id "
        "WHERE faults.state = 'open' AND incidents.state != 'open'",
    ),
    (
        "approval {id} is asked for, but its healing {healing_id} is over",
        "SELECT approvals.id, approvals.healing_id FROM approvals "
        "JOIN healings ON healings.id = approvals.healing_id "
        "WHERE approvals.state = 'pending' AND healings.state = 'done'",
    ),
    (
        "attempt {id} was summed up while its healing {healing_id} is open",
        "SELECT attempts.id, attempts.healing_id FROM attempts "
        "JOIN healings ON healings.id = attempts.healing_id "
        "WHERE attempts.summed AND healings.state != 'done'",
    ),
)
_READY = "SELECT max(at) AS at FROM timeline WHERE kind = 'engine' AND text LIKE 'ready: %'"
_LEFT = "SELECT id, ruleset FROM events WHERE turn IS NULL AND received_at < ? ORDER BY seq LIMIT ?"


@dataclass(frozen=True, slots=True)
class TableSize:
    """One table and its indexes."""

    table: str
    """Its name."""
    rows: int
    """How many."""
    bytes: int | None
    """Pages it takes, in bytes; None where SQLite was built without the means to tell."""


class Health(Repository):
    """Looks the file over; changes nothing."""

    def findings(self, artifacts: Path | None = None) -> list[str]:
        """Return what is wrong, a line each: damage first, and alone when there is some."""
        if broken := self._damage():
            return broken
        with self._db.reading():
            rows = [*self._torn(), *self._contradictions(), *self._left()]
            return [*rows, *self._orphans(artifacts)]

    def sizes(self) -> list[TableSize]:
        """Return every table, largest first."""
        with self._db.reading():
            tables = self._db.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
            sizes = [self._size(row["name"]) for row in tables]
        return sorted(sizes, key=lambda size: (-(size.bytes or 0), -size.rows, size.table))

    def _size(self, table: str) -> TableSize:
        [count] = self._db.rows(f'SELECT count(*) AS rows FROM "{table}"')  # noqa: S608 (a name of this file)
        try:
            [taken] = self._db.raw.execute(
                "SELECT sum(pgsize) FROM dbstat WHERE aggregate AND name IN "
                "(SELECT name FROM sqlite_master WHERE tbl_name = ?)",
                (table,),
            ).fetchone()
        except sqlite3.Error:  # dbstat is an option of SQLite's build
            taken = None
        return TableSize(table, count["rows"], taken)

    def _damage(self) -> list[str]:
        try:
            rows = self._db.raw.execute(f"PRAGMA integrity_check({_MOST_LINES})").fetchall()
        except sqlite3.Error as error:
            rows = [(str(error),)]
        if [row[0] for row in rows] == ["ok"]:
            return []
        tables, _ = damaged_tables(self._db.raw, 60.0)
        return [f"damaged: {one}" for one in tables] or [f"damaged: {row[0]}" for row in rows]

    def _torn(self) -> Iterator[str]:
        for row in self._db.rows("PRAGMA foreign_key_check"):
            yield f"row {row['rowid']} of {row['table']} belongs to no row of {row['parent']}"

    def _contradictions(self) -> Iterator[str]:
        for sentence, query in _NEVER:
            for row in self._db.rows(f"{query} LIMIT {_MOST_LINES}"):
                yield sentence.format(**row)

    def _left(self) -> Iterator[str]:
        """Inputs that an engine has found at its start and not matched since."""
        [ready] = self._db.rows(_READY)
        if ready["at"] is not None and self._clock.now() - ready["at"] > _SETTLING:
            for row in self._db.rows(_LEFT, (ready["at"], _MOST_LINES)):
                yield f"event {row['id']} of {row['ruleset']} waits since before the last start"

    def _orphans(self, artifacts: Path | None) -> Iterator[str]:
        if artifacts is None or not artifacts.is_dir():
            return
        known = {row["ident"] for row in self._db.rows("SELECT ident FROM steps")}
        for path in sorted(artifacts.iterdir()):
            # Gathering facts is no step; house-keeping removes what it leaves within hours.
            old = self._clock.now() - path.stat().st_mtime > _HOUSE_KEPT
            if old and path.is_dir() and path.name not in known:
                yield f"artifacts {path.name} belong to no run on record"
