"""The wall clock is set an hour forward or back: the record's order and sums stay true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from selfheal.clock import ManualClock
from selfheal.model import Event, Kind, Mark, Outcome
from selfheal.store import SqliteRecord, open_record
from tests.store.nouns import a_fault, a_healing, a_result, a_step, an_attempt
from tests.store.test_retention import START, heal_one

HOUR = 3600.0
JUMPS = pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forward"])


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def record(clock: ManualClock) -> Iterator[SqliteRecord]:
    opened = open_record(":memory:", clock)
    yield opened
    opened.close()


@JUMPS
def test_a_healing_keeps_the_order_of_what_was_done(
    record: SqliteRecord, clock: ManualClock, jump: float
) -> None:
    """Attempts and steps come back as they were begun: what is next depends on it."""
    healing = a_healing()
    record.add_healing(healing)
    record.start_healing(healing.id, clock.now())
    wanted = []
    for _ in range(2):
        attempt = an_attempt(healing, started_at=clock.now())
        record.add_attempt(attempt)
        for _ in range(2):
            step = a_step(attempt, started_at=clock.now())
            record.add_step(step)
            record.end_step(a_result(step, started_at=clock.now(), ended_at=clock.now()))
            wanted.append(step.ident)
            clock.jump(jump)
        record.end_attempt(attempt.id, Outcome.FAILED, clock.now())
    seen = record.healing(healing.id)
    assert [step.ident for one in seen.attempts for step in one.steps] == wanted


@JUMPS
def test_the_newest_comes_first(record: SqliteRecord, clock: ManualClock, jump: float) -> None:
    """Incidents and healings are listed by when they were added; the timeline likewise."""
    added = []
    for number in range(3):
        added.append(heal_one(record, clock.now(), f"web{number}"))
        clock.jump(jump)
    assert [one.id for one in record.incidents()] == added[::-1]
    assert [one.incident_id for one in record.healings()] == added[::-1]
    assert [one.incident_id for one in record.entries()] == added
    assert record.last_entry(Kind.HEALING) == record.entries()[-1]


@JUMPS
def test_no_recovery_took_less_than_no_time(
    record: SqliteRecord, clock: ManualClock, jump: float
) -> None:
    """A clock set back in mid-healing gives no negative time to recovery."""
    now = clock.now()
    fault, _ = record.open_fault(a_fault(starts_at=now, last_seen=now))
    healing = a_healing(incident_id=fault.incident_id, fault_id=fault.id)
    record.add_healing(healing)
    attempt = an_attempt(healing, started_at=now)
    record.add_attempt(attempt)
    clock.jump(jump)
    record.end_attempt(attempt.id, Outcome.HEALED, clock.now())
    known = record.solution_record(attempt.solution)
    assert known.mttr == max(0.0, jump)


@JUMPS
def test_a_repeat_is_the_same_fault(record: SqliteRecord, clock: ManualClock, jump: float) -> None:
    """A report after the jump is counted, and the fault was last seen no earlier than before."""
    first, _ = record.open_fault(a_fault(starts_at=clock.now(), last_seen=clock.now()))
    clock.jump(jump)
    again, new = record.open_fault(
        a_fault(id="ft-again", starts_at=clock.now(), last_seen=clock.now())
    )
    assert (again.id, new, again.count) == (first.id, False, 2)
    assert again.last_seen == max(START, START + jump)


@JUMPS
def test_inputs_keep_their_turns(record: SqliteRecord, clock: ManualClock, jump: float) -> None:
    """The journal replays by turns, never by times."""
    for number in range(4):
        event = Event(f"ev-{number}", "s", clock.now(), {}, ruleset="shop")
        record.add([event])
        clock.jump(jump)
    assert [one.id for one in record.unmatched("shop")] == [f"ev-{n}" for n in range(4)]
    record.mark([Mark(f"ev-{n}", n + 1, 0) for n in range(4)])
    assert [one.id for one in record.matched_after("shop", 1, 10)] == ["ev-1", "ev-2", "ev-3"]
