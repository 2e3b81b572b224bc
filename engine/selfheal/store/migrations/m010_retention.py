"""What is kept of what was pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_RESULTS = """
SELECT
    attempts.id AS attempt_id,
    attempts.solution AS name,
    coalesce(attempts.outcome IN ('healed', 'rollback_failed')
        OR attempts.outcome IN ('failed', 'rolled_back') AND healings.stop_requested = '', 0)
        AS usage_count,
    coalesce(attempts.outcome = 'healed', 0) AS healed,
    attempts.started_at AS last_used,
    CASE WHEN attempts.outcome = 'healed'
        THEN max(0.0, attempts.ended_at - faults.starts_at) END AS recovery
FROM attempts
JOIN healings ON healings.id = attempts.healing_id
LEFT JOIN faults ON faults.id = healings.fault_id
WHERE NOT attempts.summed AND NOT coalesce(json_extract(healings.options, '$.check'), 0)
"""
_HISTORY = """
CREATE TABLE solution_history (
    name TEXT PRIMARY KEY,
    usage_count INTEGER NOT NULL,
    healed INTEGER NOT NULL,
    last_used FLOAT NOT NULL,
    recoveries INTEGER NOT NULL,
    recovery_time FLOAT NOT NULL
)
"""
_PARTS = """
SELECT name, usage_count, healed, last_used,
    recovery IS NOT NULL AS recoveries, coalesce(recovery, 0.0) AS recovery_time
FROM attempt_results
UNION ALL
SELECT name, usage_count, healed, last_used, recoveries, recovery_time FROM solution_history
"""
_RECORDS = """
SELECT
    name,
    sum(usage_count) AS usage_count,
    sum(healed) AS healed,
    max(last_used) AS last_used,
    CASE WHEN sum(recoveries) THEN sum(recovery_time) / sum(recoveries) END AS mttr
FROM solution_parts GROUP BY name
"""
_INDEXES = (
    "CREATE INDEX events_age ON events (received_at)",
    "CREATE INDEX timeline_age ON timeline (at)",
    "CREATE INDEX timeline_by_kind ON timeline (kind)",
    "CREATE INDEX tasks_age ON tasks (at)",
    "CREATE INDEX incidents_age ON incidents (closed_at)",
    "CREATE INDEX incidents_by_state ON incidents (state)",
    "CREATE INDEX healings_by_state ON healings (state)",
    "CREATE INDEX firings_age ON firings (ended_at)",
    "CREATE INDEX action_runs_age ON steps (ended_at) WHERE attempt_id IS NULL",
    "CREATE INDEX attempts_unsummed ON attempts (healing_id) WHERE NOT summed",
    "CREATE INDEX attempts_unsummed_of ON attempts (solution) WHERE NOT summed",
    "CREATE INDEX healings_age ON healings (ended_at)",
    "CREATE INDEX faults_of_incident ON faults (incident_id)",
)


def m010_retention(db: Database) -> None:
    """What is kept of what was pruned: sums, so that success rates don't forget.

    An attempt counts for itself until its healing is over and it is added to the sums in
    `solution_history`; it may go any time after. `solution_records` adds up both. The indexes
    find what is old, and what is open, without reading all the rest."""
    db.execute("DROP VIEW solution_records")
    db.execute("ALTER TABLE attempts ADD COLUMN summed INTEGER NOT NULL DEFAULT 0")
    db.create_view("attempt_results", _RESULTS)
    db.execute(_HISTORY)
    db.create_view("solution_parts", _PARTS)
    db.create_view("solution_records", _RECORDS)
    for index in _INDEXES:
        db.execute(index)
