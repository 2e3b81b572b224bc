"""What the record says about solutions: computed, so that no counter can drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m004_solution_records(db: Database) -> None:
    """What the record says about solutions: computed, so that no counter can drift.

    An attempt in Ansible's check mode changed nothing and proves nothing: not counted."""
    db.create_view(
        "solution_records",
        """
        SELECT
            attempts.solution AS name,
            sum(attempts.outcome IN ('healed', 'failed', 'rolled_back', 'rollback_failed'))
                AS usage_count,
            sum(attempts.outcome = 'healed') AS healed,
            max(attempts.started_at) AS last_used,
            avg(CASE WHEN attempts.outcome = 'healed'
                THEN attempts.ended_at - faults.starts_at END) AS mttr
        FROM attempts
        JOIN healings ON healings.id = attempts.healing_id
        LEFT JOIN faults ON faults.id = healings.fault_id
        WHERE NOT coalesce(json_extract(healings.options, '$.check'), 0)
        GROUP BY attempts.solution
        """,
    )
