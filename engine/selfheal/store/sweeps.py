"""What may go, noun by noun: how it is found, and what goes with it.

`:cutoff` is a Unix time; what `select` found stands in the table `going` while it is deleted.
"""

# ruff: noqa: S608 - every statement is made of this file's own text

from __future__ import annotations

from dataclasses import dataclass

_KEYS = "(SELECT key FROM going)"
_OPEN_INCIDENTS = "(SELECT id FROM incidents WHERE state = 'open')"
_OPEN_HEALINGS = "(SELECT id FROM healings WHERE state != 'done')"
_NEEDED = "SELECT healing_id FROM locks UNION SELECT healing_id FROM attempts WHERE NOT summed"

SUM_UP = (
    """
    INSERT INTO going SELECT attempts.id FROM attempts
    JOIN healings ON healings.id = attempts.healing_id
    WHERE NOT attempts.summed AND healings.state = 'done'
    """,
    f"""
    INSERT INTO solution_history
    SELECT name, sum(usage_count), sum(healed), max(last_used), count(recovery), total(recovery)
    FROM attempt_results WHERE attempt_id IN {_KEYS} GROUP BY name
    ON CONFLICT (name) DO UPDATE SET
        usage_count = usage_count + excluded.usage_count,
        healed = healed + excluded.healed,
        last_used = max(last_used, excluded.last_used),
        recoveries = recoveries + excluded.recoveries,
        recovery_time = recovery_time + excluded.recovery_time
    """,
    f"UPDATE attempts SET summed = 1 WHERE id IN {_KEYS}",
)
"""Adds what is over to the sums, once: before it goes, and so that deciding need not count it."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """How one noun is pruned."""

    noun: str
    """What is counted."""
    limit: str
    """The key of `retention:` that says for how long it is kept."""
    select: str
    """Finds the keys of what may go."""
    deletes: tuple[str, ...]
    """Statements that make the keys go, in order."""


def _of(keys: str) -> tuple[str, ...]:
    """Statements that make healings go, with everything below them.

    Approvals and what rails have counted hang on their healing: SQLite deletes them."""
    attempts = f"(SELECT id FROM attempts WHERE healing_id IN {keys})"
    steps = f"(SELECT ident FROM steps WHERE attempt_id IN {attempts})"
    return (
        f"DELETE FROM tasks WHERE ident IN {steps}",
        f"DELETE FROM steps WHERE attempt_id IN {attempts}",
        f"DELETE FROM validations WHERE attempt_id IN {attempts}",
        f"DELETE FROM attempts WHERE healing_id IN {keys}",
        f"DELETE FROM healings WHERE id IN {keys}",
    )


def _simple(noun: str, limit: str, condition: str, key: str = "id") -> Sweep:
    """Rows of one table, with nothing below them that SQLite would not delete by itself."""
    select = f"SELECT {key} FROM {noun} WHERE {condition}"
    return Sweep(noun, limit, select, (f"DELETE FROM {noun} WHERE {key} IN {_KEYS}",))


_TASKS = Sweep(
    "tasks",
    "tasks",
    f"""
    SELECT tasks.rowid FROM tasks JOIN steps ON steps.ident = tasks.ident
    LEFT JOIN attempts ON attempts.id = steps.attempt_id
    WHERE tasks.at < :cutoff AND steps.state != 'running'
        AND coalesce(attempts.healing_id, '') NOT IN {_OPEN_HEALINGS}
    """,
    (f"DELETE FROM tasks WHERE rowid IN {_KEYS}",),
)
# A firing that is not over may have begun a run, and asks at the next start how that ended.
_ACTION_RUNS = Sweep(
    "action_runs",
    "tasks",
    """
    SELECT ident FROM steps INDEXED BY action_runs_age
    WHERE attempt_id IS NULL AND state != 'running' AND ended_at < :cutoff
        AND started_at < coalesce((SELECT min(at) FROM firings WHERE state = 'pending'), 9e99)
    """,
    (f"DELETE FROM tasks WHERE ident IN {_KEYS}", f"DELETE FROM steps WHERE ident IN {_KEYS}"),
)
_NOTIFICATIONS = Sweep(
    "notifications",
    "notifications",
    f"""
    SELECT id FROM notifications WHERE at < :cutoff AND incident_id NOT IN {_OPEN_INCIDENTS}
        AND NOT EXISTS (SELECT 1 FROM deliveries
            WHERE notification_id = notifications.id AND ended_at IS NULL)
    """,
    (
        f"DELETE FROM deliveries WHERE notification_id IN {_KEYS}",
        f"DELETE FROM notifications WHERE id IN {_KEYS}",
    ),
)
_HEALINGS_OF = f"(SELECT id FROM healings WHERE incident_id IN {_KEYS})"
# A fault that a human has in hand stands until it is resolved, or reported by nobody for so long.
_INCIDENTS = Sweep(
    "incidents",
    "incidents",
    f"""
    SELECT id FROM incidents WHERE state != 'open' AND closed_at < :cutoff
        AND NOT EXISTS (SELECT 1 FROM faults WHERE incident_id = incidents.id
            AND (state = 'open' OR last_seen >= :cutoff))
        AND NOT EXISTS (SELECT 1 FROM healings WHERE incident_id = incidents.id
            AND (state != 'done' OR id IN ({_NEEDED})))
    """,
    (
        *_of(_HEALINGS_OF),
        f"DELETE FROM decisions WHERE incident_id IN {_KEYS}",
        f"DELETE FROM faults WHERE incident_id IN {_KEYS}",
        f"DELETE FROM incidents WHERE id IN {_KEYS}",
    ),
)
_BY_HAND = Sweep(
    "healings_by_hand",
    "incidents",
    f"""
    SELECT id FROM healings WHERE incident_id = '' AND state = 'done' AND ended_at < :cutoff
        AND id NOT IN ({_NEEDED})
    """,
    _of(_KEYS),
)

SWEEPS = (
    Sweep(
        "events",
        "events",
        # What an action has made stays while that action may be repeated: it is made once.
        """
        SELECT seq FROM settled_events WHERE received_at < :cutoff AND (origin = '' OR
            substr(origin, 1, instr(origin, ':') - 1)
            NOT IN (SELECT id FROM firings WHERE state = 'pending'))
        """,
        (f"DELETE FROM events WHERE seq IN {_KEYS}",),
    ),
    _simple("firings", "events", "state != 'pending' AND ended_at < :cutoff", "seq"),
    _simple("inbox", "events", "done_at < :cutoff"),
    # The newest line stays: it tells the next one its number.
    _simple(
        "timeline",
        "timeline",
        "at < :cutoff AND +seq < (SELECT max(seq) FROM timeline) "
        f"AND incident_id NOT IN {_OPEN_INCIDENTS} AND healing_id NOT IN {_OPEN_HEALINGS}",
        "seq",
    ),
    _TASKS,
    _ACTION_RUNS,
    _NOTIFICATIONS,
    _simple(
        "approvals",
        "approvals",
        f"state != 'pending' AND ended_at < :cutoff AND healing_id NOT IN {_OPEN_HEALINGS}",
    ),
    _simple("grants", "approvals", "coalesce(revoked_at, valid_until) < :cutoff"),
    _simple("pauses", "approvals", "ended_at < :cutoff"),
    _simple("silences", "approvals", "ends_at < :cutoff"),
    _simple("maintenances", "approvals", "ends_at < :cutoff"),
    _simple("storms", "approvals", "ended_at < :cutoff"),
    _INCIDENTS,
    _BY_HAND,
)
