"""Inputs of rulesets, what they fired, and what their matchers remember."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_EVENTS = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    ruleset TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    received_at FLOAT NOT NULL,
    moment INTEGER NOT NULL,
    body TEXT NOT NULL,
    meta TEXT NOT NULL,
    origin TEXT NOT NULL,
    tries INTEGER NOT NULL,
    turn INTEGER,
    matched_moment INTEGER,
    matched_at FLOAT,
    note TEXT NOT NULL DEFAULT ''
)
"""
# What an earlier engine took in counts as matched: it was acted on, and how is not known.
_KEPT = """
INSERT INTO events (
    id, ruleset, kind, source, received_at, moment, body, meta, origin, tries, turn, matched_at
)
SELECT id, coalesce(json_extract(meta, '$.ruleset'), ''), 'event', source, received_at, 0, body,
    meta, '', 0, 0, received_at
FROM old_events ORDER BY rowid
"""
_INDEXES = (
    "CREATE INDEX events_unmatched ON events (ruleset, seq) WHERE turn IS NULL",
    "CREATE UNIQUE INDEX events_turn ON events (ruleset, turn) WHERE turn > 0",
    "CREATE UNIQUE INDEX events_origin ON events (origin) WHERE origin != ''",
)
_FIRINGS = """
CREATE TABLE firings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    ruleset TEXT NOT NULL,
    rule TEXT NOT NULL,
    at FLOAT NOT NULL,
    event_ids TEXT NOT NULL,
    sources TEXT NOT NULL,
    actions TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    next_action INTEGER NOT NULL DEFAULT 0,
    begun TEXT NOT NULL DEFAULT '',
    ended_at FLOAT,
    note TEXT NOT NULL DEFAULT ''
)
"""
_MATCHERS = """
CREATE TABLE matchers (
    ruleset TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    turn INTEGER NOT NULL,
    moment INTEGER NOT NULL,
    at FLOAT NOT NULL,
    state TEXT NOT NULL
)
"""
_HELD = """
CREATE TABLE held_events (
    ruleset TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (ruleset, event_id)
) WITHOUT ROWID
"""
_SETTLED = """
CREATE VIEW settled_events AS
SELECT events.* FROM events
LEFT JOIN matchers ON matchers.ruleset = events.ruleset
WHERE events.turn IS NOT NULL
AND (matchers.turn IS NULL OR events.turn <= matchers.turn)
AND events.id NOT IN (SELECT event_id FROM held_events)
AND events.id NOT IN (
    SELECT json_extract(source.value, '$.event_id')
    FROM firings, json_each(firings.sources) AS source WHERE firings.state = 'pending'
)
"""


def m005_inputs_firings(db: Database) -> None:
    """Inputs of rulesets, what they fired, and what their matchers remember.

    `settled_events` are those that no restart needs again: only they may be deleted."""
    db.execute("ALTER TABLE events RENAME TO old_events")
    db.execute(_EVENTS)
    db.execute(_KEPT)
    db.execute("DROP TABLE old_events")
    for index in _INDEXES:
        db.execute(index)
    db.execute(_FIRINGS)
    db.execute("CREATE INDEX firings_pending ON firings (seq) WHERE state = 'pending'")
    db.execute(_MATCHERS)
    db.execute(_HELD)
    db.execute(_SETTLED)
