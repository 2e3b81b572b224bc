"""The journal: what each ruleset is shown, and how far its matching has come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from selfheal.model import Event, JournalCounts, Mark, MatcherState
from selfheal.ports import JSON
from selfheal.store.codec import from_row, from_text, to_row, to_text
from selfheal.store.connection import Connection
from selfheal.store.repository import Repository

_INSERT = """
INSERT INTO events (
    id, source, received_at, body, meta, ruleset, kind, moment, origin, tries
) VALUES (
    :id, :source, :received_at, :body, :meta, :ruleset, :kind, :moment, :origin, :tries
) ON CONFLICT (origin) WHERE origin != '' DO NOTHING
"""
_MARK = """
UPDATE events SET turn = ?, matched_moment = ?, note = ?, matched_at = ? WHERE id = ?
"""
_REPLAY = "SELECT * FROM events WHERE ruleset = ? AND turn > ? AND turn <= ? ORDER BY turn"
_BACKLOG = "SELECT * FROM events WHERE ruleset = ? AND turn IS NULL ORDER BY seq"
_GIVE_UP = """
UPDATE events SET turn = 0, matched_at = ?, note = ?
WHERE turn IS NULL AND ruleset NOT IN (SELECT value FROM json_each(?))
"""
_TRY = """
UPDATE events SET tries = tries + 1 WHERE id IN (SELECT value FROM json_each(?))
"""
_BODIES = "SELECT id, body FROM events WHERE id IN (SELECT value FROM json_each(?))"
_HOLD = "INSERT INTO held_events SELECT DISTINCT ?, value FROM json_each(?)"
_COUNTS = """
SELECT count(*) AS accepted, count(turn) AS matched, count(*) - count(turn) AS unmatched
FROM events
"""
_FIRING_COUNTS = """
SELECT 'firings_' || state AS name, count(*) AS count FROM firings GROUP BY state
"""
_NO_FIRINGS = dict.fromkeys(
    ("firings_pending", "firings_done", "firings_dropped", "firings_unknown"), 0
)


class Events(Repository):
    """Implements `ports.Journal`."""

    def add(self, events: Sequence[Event]) -> None:
        with self._db.writing():
            for event in events:
                self._db.execute(_INSERT, to_row(event))

    def event(self, event_id: str) -> Event:
        return from_row(Event, self._one("events", event_id))

    def has_origin(self, origin: str) -> bool:
        found = "SELECT 1 FROM events WHERE origin = ? AND origin != ''"
        return self._db.row(found, (origin,)) is not None

    def mark(self, marks: Iterable[Mark]) -> None:
        now = self._clock.now()
        with self._db.writing(durable=False):
            for each in marks:
                self._db.execute(_MARK, (each.turn, each.moment, each.note, now, each.event_id))

    def count_tries(self, event_ids: Sequence[str]) -> None:
        if event_ids:
            self._db.execute(_TRY, (to_text(event_ids),))

    def unmatched(self, ruleset: str) -> list[Event]:
        return [from_row(Event, row) for row in self._db.rows(_BACKLOG, (ruleset,))]

    def matched_after(self, ruleset: str, turn: int, limit: int) -> list[Event]:
        rows = self._db.rows(_REPLAY, (ruleset, turn, turn + limit))
        return [from_row(Event, row | {"moment": row["matched_moment"]}) for row in rows]

    def give_up_unmatched(self, rulesets: Collection[str], note: str) -> int:
        with self._db.writing():
            values = (self._clock.now(), note, to_text(list(rulesets)))
            return self._db.execute(_GIVE_UP, values).rowcount

    def bodies(self, event_ids: Iterable[str]) -> dict[str, JSON]:
        return bodies_of(self._db, event_ids)

    def last_moment(self, ruleset: str) -> tuple[int, float] | None:
        row = self._db.row(
            "SELECT moment, at FROM (SELECT moment, received_at AS at FROM events "
            "WHERE ruleset = ? ORDER BY seq DESC LIMIT 1) "
            "UNION ALL SELECT moment, at FROM matchers WHERE ruleset = ? "
            "ORDER BY moment DESC LIMIT 1",
            (ruleset, ruleset),
        )
        return (row["moment"], row["at"]) if row else None

    def last_turn(self, ruleset: str) -> int:
        row = self._db.row(
            "SELECT max(turn) AS turn FROM (SELECT max(turn) AS turn FROM events "
            "WHERE ruleset = ? AND turn > 0 "
            "UNION ALL SELECT turn FROM matchers WHERE ruleset = ?)",
            (ruleset, ruleset),
        )
        return int(row["turn"] or 0) if row else 0

    def save_matcher(self, state: MatcherState) -> None:
        row = to_row(state, without=frozenset({"event_ids"}))
        columns, marks = ", ".join(row), ", ".join("?" for _ in row)
        with self._db.writing():
            self._db.execute(
                f"INSERT OR REPLACE INTO matchers ({columns}) VALUES ({marks})",  # noqa: S608 (names are the code's own)
                tuple(row.values()),
            )
            self._db.execute("DELETE FROM held_events WHERE ruleset = ?", (state.ruleset,))
            self._db.execute(_HOLD, (state.ruleset, to_text(list(state.event_ids))))

    def matcher_state(self, ruleset: str) -> MatcherState | None:
        row = self._db.row("SELECT * FROM matchers WHERE ruleset = ?", (ruleset,))
        if row is None:
            return None
        held = "SELECT event_id FROM held_events WHERE ruleset = ?"
        ids = tuple(each["event_id"] for each in self._db.rows(held, (ruleset,)))
        return from_row(MatcherState, row, event_ids=ids)

    def journal_counts(self) -> JournalCounts:
        with self._db.reading():
            events = self._db.row(_COUNTS) or {}
            firings = {row["name"]: row["count"] for row in self._db.rows(_FIRING_COUNTS)}
        return JournalCounts(**events, **(_NO_FIRINGS | firings))


def bodies_of(db: Connection, event_ids: Iterable[str]) -> dict[str, JSON]:
    """Return id to body of those that are there."""
    rows = db.rows(_BODIES, (to_text(list(event_ids)),))
    return {row["id"]: from_text(JSON, row["body"]) for row in rows}
