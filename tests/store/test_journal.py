"""The journal of inputs: order, turns, origins, and what an older file becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from selfheal.errors import StoreError
from selfheal.model import (
    Event,
    Firing,
    FiringState,
    InputKind,
    Mark,
    Matched,
    MatcherState,
)
from selfheal.store import SqliteRecord, open_record
from selfheal.store.migrations import MIGRATIONS


def event(number: int, ruleset: str = "r", **more: object) -> Event:
    body = {"n": number}
    return Event(f"ev-{number}", "s", 100.0 + number, body, ruleset=ruleset, moment=number, **more)  # type: ignore[arg-type]  # what a test adds


def test_events_of_an_older_file_stay_and_count_as_matched(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their order and ruleset are kept; a new engine does not act on them again."""
    with monkeypatch.context() as patch:
        patch.setattr("selfheal.store.migrations.MIGRATIONS", MIGRATIONS[:4])
        old = open_record(file)
        for ident, at in (("ev-b", 5.0), ("ev-a", 6.0)):
            old.db.execute(
                "INSERT INTO events (id, source, received_at, body, meta) VALUES (?, ?, ?, ?, ?)",
                (ident, "webhook", at, '{"n":1}', '{"ruleset":"shop"}'),
            )
        old.close()
    record = open_record(file)
    rows = list(record.db.query("SELECT id, ruleset, turn FROM events ORDER BY seq"))
    assert [tuple(row.values()) for row in rows] == [("ev-b", "shop", 0), ("ev-a", "shop", 0)]
    assert record.event("ev-a").body == {"n": 1}
    assert record.unmatched("shop") == []
    assert (record.last_turn("shop"), record.matched_after("shop", 0, 10)) == (0, [])
    assert len(list(record.db.query("SELECT 1 FROM settled_events"))) == 2
    record.close()


def test_turns_are_apart_from_acceptance(record: SqliteRecord) -> None:
    """What waits comes in order of acceptance; what was matched in order of turn, at its moment."""
    events = [event(1), event(2), event(3, "other"), event(4)]
    record.add(events)
    record.mark([Mark("ev-4", 1, 9), Mark("ev-1", 2, 9, "broken")])
    assert [one.id for one in record.unmatched("r")] == ["ev-2"]
    assert [(one.id, one.moment) for one in record.matched_after("r", 0, 10)] == [
        ("ev-4", 9),
        ("ev-1", 9),
    ]
    assert [one.id for one in record.matched_after("r", 1, 10)] == ["ev-1"]
    assert (record.last_turn("r"), record.last_turn("other")) == (2, 0)
    assert record.last_moment("r") == (4, 104.0)
    with pytest.raises(StoreError):
        record.mark([Mark("ev-2", 2, 9)])


def test_an_origin_is_taken_once(record: SqliteRecord) -> None:
    """A second event of one origin is left out, whatever else is in its batch."""
    record.add([event(1, origin="fi-1:0:")])
    record.add([event(2, origin="fi-1:0:"), event(3), event(4)])
    assert [one.id for one in record.unmatched("r")] == ["ev-1", "ev-3", "ev-4"]
    assert record.has_origin("fi-1:0:")
    assert not record.has_origin("")


def test_what_waits_for_nobody_is_given_up_with_a_note(record: SqliteRecord) -> None:
    """Only rulesets that are gone lose what waited for them."""
    record.add([event(1), event(2, "gone")])
    assert record.give_up_unmatched(["r"], "gone") == 1
    assert record.give_up_unmatched(["r"], "gone") == 0
    assert [one.id for one in record.unmatched("r")] == ["ev-1"]


def test_tries_are_counted(record: SqliteRecord) -> None:
    """Only of the events named."""
    record.add([event(1), event(2)])
    for _ in range(2):
        record.count_tries(["ev-2"])
    record.count_tries([])
    assert [one.tries for one in record.unmatched("r")] == [0, 2]


def test_a_matcher_has_one_state(record: SqliteRecord) -> None:
    """The newest takes the place of the one before, and so do the events it holds."""
    for turn, held in ((1, ("ev-1", "ev-2")), (2, ("ev-2", "ev-2"))):
        record.save_matcher(MatcherState("r", "d", turn, 7, 8.0, {"n": [turn]}, held))
    assert record.matcher_state("r") == MatcherState("r", "d", 2, 7, 8.0, {"n": [2]}, ("ev-2",))
    assert record.matcher_state("other") is None
    assert record.last_turn("r") == 2
    assert record.last_moment("r") == (7, 8.0)


def test_a_firing_comes_back_with_what_matched(record: SqliteRecord) -> None:
    """Bodies from the journal, and what a throttle had added; progress and note with it."""
    record.add([event(1), event(2, kind=InputKind.FACT)])
    sources = {"m_0": Matched("ev-1", {"x": 1}), "m_1": Matched("ev-2")}
    shown: dict[str, dict[str, Any]] = {
        "m_0": {"n": 1, "meta": {"rule_engine": {"x": 1}}},
        "m_1": {"n": 2},
    }
    firing = Firing("r", "rule", shown, 5.0, ("ev-1",), "fi-1", sources)
    record.add_firing(firing, ["debug", "none"])
    record.begin_action("fi-1", 0, "st-1")
    (left,) = record.unfinished_firings()
    assert (left.firing, left.actions, left.begun) == (firing, ("debug", "none"), "st-1")
    record.advance_firing("fi-1", 1, "unknown")
    (left,) = record.unfinished_firings()
    assert (left.next_action, left.begun, left.note) == (1, "", "unknown")
    record.end_firing("fi-1", FiringState.UNKNOWN, "unknown")
    assert record.unfinished_firings() == []


def test_everything_accepted_is_accounted_for(record: SqliteRecord) -> None:
    """Accepted is matched and unmatched; firings are counted by what became of them."""
    record.add([event(n) for n in range(5)])
    record.mark([Mark("ev-0", 1, 0), Mark("ev-1", 2, 0)])
    for n, state in enumerate([*FiringState, FiringState.DONE]):
        record.add_firing(Firing("r", "rule", {}, 1.0, id=f"fi-{n}"), [])
        if state is not FiringState.PENDING:
            record.end_firing(f"fi-{n}", state, "")
    counts = record.journal_counts()
    assert (counts.accepted, counts.matched, counts.unmatched) == (5, 2, 3)
    assert (counts.firings_pending, counts.firings_done) == (1, 2)
    assert (counts.firings_dropped, counts.firings_unknown) == (1, 1)
