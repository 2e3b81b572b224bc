"""What rails ask of the record, and what stands in the way of healings."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from typing import Any

from selfheal.model import (
    AutonomyChange,
    Count,
    Ended,
    Failures,
    Key,
    Maintenance,
    Pause,
    Silence,
    Storm,
)
from selfheal.store.codec import from_row, to_row, to_text
from selfheal.store.repository import Repository

_ENDS = {
    "healed": Ended.WELL,
    "failed": Ended.BADLY,
    "rolled_back": Ended.BADLY,
    "rollback_failed": Ended.BADLY,
}
# So many bad ends without a good one are enough, however far apart: nobody need look further back.
_HOPELESS = 500
_FAILURES = """
WITH bad AS (
    SELECT ended_at FROM rail_attempts
    WHERE solution = :solution AND outcome IN ('failed', 'rolled_back', 'rollback_failed')
        AND ended_at <= :until
        AND ended_at > coalesce((SELECT max(ended_at) FROM rail_attempts
            WHERE solution = :solution AND outcome = 'healed' AND ended_at <= :until), -1e300)
    ORDER BY ended_at DESC LIMIT :most
), spans AS (
    SELECT ended_at, ended_at - lag(ended_at, :others) OVER (ORDER BY ended_at) AS span FROM bad
)
SELECT count(*) AS number, max(ended_at) AS last, coalesce(max(span <= :within), 0) AS tripped
FROM spans
"""
_OPENINGS = """
SELECT incidents.opened_at FROM faults JOIN incidents ON incidents.id = faults.incident_id
WHERE faults.fingerprint = ? ORDER BY faults.rowid DESC LIMIT ?
"""
_UNSETTLED = """
SELECT healings.incident_id FROM healings JOIN incidents ON incidents.id = healings.incident_id
WHERE healings.outcome = 'rollback_failed' AND healings.host = ? AND healings.id != ?
AND incidents.state IN ('open', 'manual') LIMIT 1
"""
_UNHEALTHY = """
SELECT DISTINCT target FROM faults
WHERE state IN ('open', 'manual') AND last_seen > ? AND target != '' AND NOT EXISTS (
    SELECT 1 FROM decisions WHERE decisions.incident_id = faults.incident_id
    AND refused IN ('observe_only', 'suggest_only'))
"""
_RULE_ENDS = """
SELECT healings.ended_at, healings.outcome, healings.id
FROM rail_attempts JOIN healings ON healings.id = rail_attempts.healing_id
WHERE rail_attempts.rule = ? AND rail_attempts.ruleset = ? AND rail_attempts.first_of_healing
    AND rail_attempts.began_at > ? AND rail_attempts.began_at <= ? AND healings.state = 'done'
    AND NOT (healings.stop_requested != '' AND healings.outcome IN ('failed', 'rolled_back'))
ORDER BY rail_attempts.began_at DESC LIMIT ?
"""
_TOUCHED = """
SELECT DISTINCT wanted.value AS host FROM json_each(?) AS wanted
WHERE EXISTS (
    SELECT 1 FROM rail_hosts WHERE host = wanted.value AND began_at > ? AND began_at <= ?)
"""
_HOSTS_AT_WORK = """
SELECT DISTINCT rail_hosts.host FROM rail_attempts
JOIN rail_hosts ON rail_hosts.attempt_id = rail_attempts.attempt_id
JOIN healings ON healings.id = rail_attempts.healing_id
WHERE rail_attempts.ended_at IS NULL AND healings.state = 'running' AND healings.id != ?
"""


class Guards(Repository):
    """Implements `ports.GuardRecord`."""

    def has_begun(self, healing_id: str, solution: str = "") -> bool:
        where, values = _equal(Key(solution=solution))
        sql = f"SELECT 1 FROM rail_attempts WHERE healing_id = ?{where} LIMIT 1"  # noqa: S608 (names are the code's own)
        return self._db.row(sql, (healing_id, *values)) is not None

    def healings_begun(
        self, key: Key, since: float, until: float = math.inf, *, besides: str
    ) -> Count:
        where, values = _equal(key)
        first = "first_of_solution" if key.solution else "first_of_healing"
        with self._db.reading():
            [begun] = self._db.rows(
                "SELECT count(*) AS number, min(began_at) AS oldest FROM rail_attempts "  # noqa: S608 (names are the code's own)
                f"WHERE began_at > ? AND began_at <= ? AND {first} AND healing_id != ?{where}",
                (since, until, besides, *values),
            )
            return Count(begun["number"] + self._about_to_begin(key, besides), begun["oldest"])

    def _about_to_begin(self, key: Key, besides: str) -> int:
        where, values = _equal(key)
        [row] = self._db.rows(
            "SELECT count(*) AS number FROM rail_running WHERE id != ? AND NOT EXISTS "  # noqa: S608 (names are the code's own)
            "(SELECT 1 FROM rail_attempts WHERE healing_id = rail_running.id "
            f"AND (? = '' OR solution = ?)){where}",
            (besides, key.solution, key.solution, *values),
        )
        return int(row["number"])

    def healings_running(self, key: Key, *, besides: str, at_work: bool = False) -> int:
        where, values = _equal(key)
        open_ = (
            "SELECT DISTINCT healing_id FROM rail_attempts WHERE ended_at IS NULL "  # noqa: S608 (names are the code's own)
            f"AND healing_id IN (SELECT id FROM rail_running) AND healing_id != ?{where}"
        )
        let_in = f"SELECT id FROM rail_running WHERE id != ?{where}"  # noqa: S608 (names are the code's own)
        if at_work:
            return len(self._db.rows(open_, (besides, *values)))
        both = f"{open_} UNION {let_in}"
        return len(self._db.rows(both, (besides, *values, besides, *values)))

    def hosts_running(self, *, besides: str, at_work: bool = False) -> frozenset[str]:
        if at_work:
            return frozenset(row["host"] for row in self._db.rows(_HOSTS_AT_WORK, (besides,)))
        rows = self._db.rows("SELECT hosts FROM rail_running WHERE id != ?", (besides,))
        return frozenset(host for row in rows for host in json.loads(row["hosts"]))

    def hosts_touched(
        self, hosts: Collection[str], since: float, until: float = math.inf
    ) -> frozenset[str]:
        rows = self._db.rows(_TOUCHED, (json.dumps(sorted(hosts)), since, until))
        return frozenset(row["host"] for row in rows)

    def attempts_begun(self, since: float, until: float = math.inf) -> Sequence[float]:
        rows = self._db.rows(
            "SELECT began_at FROM rail_attempts WHERE began_at > ? AND began_at <= ? "
            "ORDER BY began_at",
            (since, until),
        )
        return [row["began_at"] for row in rows]

    def last_end(self, key: Key, until: float = math.inf, *, besides: str) -> float | None:
        where, values = _equal(key)
        row = self._db.row(
            f"SELECT ended_at FROM rail_attempts WHERE healing_id != ?{where} "  # noqa: S608 (names are the code's own)
            "AND ended_at <= ? ORDER BY ended_at DESC LIMIT 1",
            (besides, *values, until),
        )
        return row["ended_at"] if row else None

    def failures(
        self, solution: str, number: int, within: float, until: float = math.inf
    ) -> Failures:
        values = {"solution": solution, "others": number - 1, "within": within, "until": until}
        row = dict(self._db.execute(_FAILURES, values | {"most": _HOPELESS}).fetchone())
        tripped = bool(row["tripped"]) or row["number"] >= _HOPELESS
        return Failures(row["number"], tripped, row["last"])

    def fault_openings(self, fingerprint: str, limit: int) -> list[float]:
        return [row["opened_at"] for row in self._db.rows(_OPENINGS, (fingerprint, limit))]

    def unhealthy_targets(self, seen_after: float) -> frozenset[str]:
        return frozenset(row["target"] for row in self._db.rows(_UNHEALTHY, (seen_after,)))

    def unsettled(self, host: str, *, besides: str) -> str:
        row = self._db.row(_UNSETTLED, (host, besides))
        return str(row["incident_id"]) if row else ""

    def rule_ends(
        self, ruleset: str, rule: str, since: float, limit: int, until: float = math.inf
    ) -> list[tuple[float, Ended, str]]:
        rows = self._db.rows(_RULE_ENDS, (rule, ruleset, since, until, limit))
        return [
            (row["ended_at"], _ENDS.get(row["outcome"], Ended.UNCLEAR), row["id"]) for row in rows
        ]

    def pauses(self, at: float) -> list[Pause]:
        rows = self._db.rows(
            "SELECT * FROM pauses WHERE ended_at IS NULL AND coalesce(until, 1e300) > ? "
            "ORDER BY since, rowid",
            (at,),
        )
        return [from_row(Pause, row) for row in rows]

    def silences(self, ending_after: float) -> list[Silence]:
        sql = "SELECT * FROM silences WHERE ends_at > ? ORDER BY starts_at, rowid"
        return [from_row(Silence, row) for row in self._db.rows(sql, (ending_after,))]

    def maintenances(self, ending_after: float) -> list[Maintenance]:
        sql = "SELECT * FROM maintenances WHERE ends_at > ? ORDER BY starts_at, rowid"
        return [from_row(Maintenance, row) for row in self._db.rows(sql, (ending_after,))]

    def autonomy(self, ruleset: str, rule: str) -> AutonomyChange | None:
        row = self._db.row(
            "SELECT * FROM autonomy_changes WHERE rule = ? AND ruleset = ? "
            "ORDER BY rowid DESC LIMIT 1",
            (rule, ruleset),
        )
        return from_row(AutonomyChange, row) if row else None

    def autonomy_changes(self) -> list[AutonomyChange]:
        rows = self._db.rows("SELECT * FROM autonomy_changes ORDER BY rowid DESC")
        return [from_row(AutonomyChange, row) for row in rows]

    def storms(self, ended_after: float) -> list[Storm]:
        rows = self._db.rows(
            "SELECT * FROM storms WHERE ended_at IS NULL OR ended_at > ? ORDER BY began_at, rowid",
            (ended_after,),
        )
        return [from_row(Storm, row) for row in rows]

    def admit(self, healing_id: str, solution: str, hosts: Sequence[str], at: float) -> None:
        # What it lets begin is put on disk before it begins, and this before that.
        with self._db.writing(durable=False):
            self._db.execute("DELETE FROM admissions WHERE healing_id = ?", (healing_id,))
            row = {"healing_id": healing_id, "solution": solution, "at": at}
            self._db.insert("admissions", row | {"hosts": to_text(sorted(set(hosts)))})

    def withdraw_admission(self, healing_id: str) -> None:
        with self._db.writing():
            self._db.execute("DELETE FROM admissions WHERE healing_id = ?", (healing_id,))

    def add_pause(self, pause: Pause) -> None:
        self._db.insert("pauses", to_row(pause))

    def end_pause(self, pause_id: str, at: float) -> None:
        with self._db.writing():
            row = self._by_prefix("pauses", pause_id)
            if row["ended_at"] is None:
                self._update("pauses", row["id"], {"ended_at": at})

    def add_silence(self, silence: Silence) -> None:
        self._db.insert("silences", to_row(silence))

    def end_silence(self, silence_id: str, at: float) -> None:
        self._end("silences", silence_id, at)

    def add_maintenance(self, window: Maintenance) -> None:
        self._db.insert("maintenances", to_row(window))

    def end_maintenance(self, window_id: str, at: float) -> None:
        self._end("maintenances", window_id, at)

    def change_autonomy(self, change: AutonomyChange) -> None:
        self._db.insert("autonomy_changes", to_row(change))

    def put_storm(self, storm: Storm) -> None:
        with self._db.writing():
            self._db.execute("DELETE FROM storms WHERE id = ?", (storm.id,))
            self._db.insert("storms", to_row(storm))

    def _end(self, table: str, ident: str, at: float) -> None:
        with self._db.writing():
            row = self._by_prefix(table, ident)
            self._update(table, row["id"], {"ends_at": min(at, row["ends_at"])})


def _equal(key: Key) -> tuple[str, list[Any]]:
    """The conditions that the key's values make, each with its AND, and the values."""
    wanted = {
        name: value
        for name in ("target", "ruleset", "rule", "solution")
        if (value := getattr(key, name))
    }
    return "".join(f" AND {name} = ?" for name in wanted), list(wanted.values())
