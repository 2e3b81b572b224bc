"""Retention: what is old goes, what is open or needed stays, and nothing known is forgotten."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfheal.clock import ManualClock
from selfheal.config import Retention
from selfheal.model import (
    Event,
    FaultState,
    FiringState,
    IncidentState,
    Kind,
    Mark,
    MatcherState,
    Notification,
    Outcome,
    new_id,
)
from selfheal.store import SqliteRecord, keep_house, open_record
from selfheal.store.housekeeping import tidy
from tests.store.nouns import a_fault, a_healing, a_result, a_step, an_attempt

DAY = 86_400.0
START = 1_700_000_000.0
NOTHING_KEPT = Retention(
    events=0, timeline=0, incidents=0, tasks=0, artifacts=0, approvals=0, notifications=0
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def record(file: Path, clock: ManualClock) -> Iterator[SqliteRecord]:
    opened = open_record(file, clock)
    yield opened
    opened.close()


def heal_one(
    record: SqliteRecord, now: float, name: str, outcome: Outcome = Outcome.HEALED, **options: Any
) -> str:
    """One fault from its first report to its end a minute later; returns the incident."""
    fault, _ = record.open_fault(
        a_fault(id=new_id("ft"), fingerprint=name, starts_at=now, last_seen=now)
    )
    healing = a_healing(
        incident_id=fault.incident_id, fault_id=fault.id, resource=name, created_at=now, **options
    )
    record.add_healing(healing)
    record.start_healing(healing.id, now)
    attempt = an_attempt(healing, started_at=now)
    record.add_attempt(attempt)
    step = a_step(attempt, started_at=now)
    record.add_step(step)
    record.end_step(a_result(step, started_at=now, ended_at=now + 30))
    record.set_validations(attempt.id, [], now + 60)
    record.end_attempt(attempt.id, outcome, now + 60)
    record.end_healing(healing.id, outcome, "", now + 60)
    record.tell(Kind.HEALING, "ended", incident_id=fault.incident_id, healing_id=healing.id)
    healed = outcome is Outcome.HEALED
    record.set_fault_state(fault.id, FaultState.HEALED if healed else FaultState.MANUAL, now + 60)
    state = IncidentState.HEALED if healed else IncidentState.MANUAL
    record.set_incident_state(fault.incident_id, state, now + 60)
    return fault.incident_id


def counts(record: SqliteRecord) -> dict[str, int]:
    names = ("events", "faults", "healings", "attempts", "steps", "tasks", "timeline", "firings")
    return {name: record.db[name].count for name in names}


def test_each_noun_goes_by_its_own_age(record: SqliteRecord) -> None:
    """Events go after a week, task results after a month, incidents whole after half a year."""
    heal_one(record, START, "web1")
    record.add([Event("ev-1", "s", START, {})])
    record.mark([Mark("ev-1", 1, 0)])
    record.tell(Kind.ENGINE, "newest")
    limits = Retention()
    assert record.prune(START + 6 * DAY, limits) == {"summed_up": 1}
    assert record.prune(START + 8 * DAY, limits) == {"events": 1}
    assert record.prune(START + 31 * DAY, limits) == {"tasks": 1}
    assert record.prune(START + 91 * DAY, limits) == {"timeline": 1}
    assert record.prunable(START + 181 * DAY, limits) == {"incidents": 1}
    assert record.prune(START + 181 * DAY, limits) == {"incidents": 1}
    left = {name: count for name, count in counts(record).items() if count}
    assert left == {"timeline": 1}


def test_success_rates_and_mttr_do_not_change_by_pruning(record: SqliteRecord) -> None:
    """What is known of a solution is the same before, between and after its attempts went."""
    for number, outcome in enumerate([Outcome.HEALED] * 5 + [Outcome.ROLLED_BACK, Outcome.FAILED]):
        heal_one(record, START + number * DAY, f"web{number}", outcome)
    heal_one(record, START, "checked", options={"check": True})
    before = record.solution_records()
    assert (before[0].usage_count, before[0].healed, before[0].mttr) == (7, 5, 60.0)
    for now in (START + DAY, START + 183 * DAY, START + 400 * DAY):
        record.prune(now, Retention())
        assert record.solution_records() == before
        assert record.solution_record(before[0].name) == before[0]
    assert record.db["attempts"].count == 0
    heal_one(record, START + 400 * DAY, "later")
    after = record.solution_record(before[0].name)
    assert (after.usage_count, after.healed, after.mttr) == (8, 6, 60.0)
    assert after.last_used == START + 400 * DAY


def test_what_is_open_stays_however_old(record: SqliteRecord) -> None:
    """An open fault, its running healing, its story and its call for help outlast every limit."""
    fault, _ = record.open_fault(a_fault(starts_at=START, last_seen=START))
    healing = a_healing(incident_id=fault.incident_id, fault_id=fault.id, created_at=START)
    record.add_healing(healing)
    record.start_healing(healing.id, START)
    attempt = an_attempt(healing, started_at=START)
    record.add_attempt(attempt)
    step = a_step(attempt, started_at=START)
    record.add_step(step)
    record.end_step(a_result(step))
    record.tell(Kind.HEALING, "begun", healing_id=healing.id)
    record.tell(Kind.ENGINE, "newest")
    told = Notification("no-1", START, "s", "b", cause="c", incident_id=fault.incident_id)
    record.add_notification(told, [])
    before = counts(record)
    assert record.prune(START + 1000 * DAY, NOTHING_KEPT) == {}
    assert counts(record) == before
    assert not record.add_notification(replace(told, id="no-2"), []), "the cause is still known"


def test_what_a_human_has_in_hand_stays_while_it_is_reported(record: SqliteRecord) -> None:
    """A manual fault is forgotten half a year after its last report, not after its first."""
    incident = heal_one(record, START, "web1", Outcome.FAILED)
    fault = record.fault(record.incident(incident).primary_fault_id)
    record.open_fault(replace(fault, id="ft-again", last_seen=START + 100 * DAY))
    assert "incidents" not in record.prune(START + 200 * DAY, Retention())
    assert record.prune(START + 281 * DAY, Retention())["incidents"] == 1


def test_what_the_next_start_needs_stays(record: SqliteRecord) -> None:
    """Unmatched inputs, those after or held by the snapshot, and those of pending firings stay."""
    ids = ["held", "before", "after", "waits", "fired"]
    record.add([Event(name, "s", START, {"n": name}, ruleset="shop") for name in ids])
    turns = (("held", 1), ("before", 2), ("fired", 3), ("after", 5))
    record.mark([Mark(name, turn, 0) for name, turn in turns])
    state = MatcherState("shop", "d", turn=4, moment=0, at=START, state={}, event_ids=("held",))
    record.save_matcher(state)
    firing = {
        "seq": 1, "id": "fi-1", "ruleset": "shop", "rule": "r", "at": START, "event_ids": "[]",
        "sources": '{"m":{"event_id":"fired"}}', "actions": "[]",
    }  # fmt: skip
    record.db["firings"].insert(firing)
    child = Event("child", "s", START, {}, ruleset="shop", origin="fi-1:0")
    record.add([child])
    record.mark([Mark("child", 4, 0)])
    record.prune(START + 1000 * DAY, NOTHING_KEPT)
    left = {row["id"] for row in record.db["events"].rows}
    assert left == {"held", "after", "waits", "fired", "child"}
    record.end_firing("fi-1", FiringState.DONE, "")
    record.prune(START + 1000 * DAY, NOTHING_KEPT)
    assert {row["id"] for row in record.db["events"].rows} == {"held", "after", "waits"}


def test_messages_on_their_way_and_questions_that_wait_stay(record: SqliteRecord) -> None:
    """An undelivered message outlasts its limit; a delivered one goes with its deliveries."""
    for name, targets in (("no-1", ["chat"]), ("no-2", [])):
        record.add_notification(Notification(name, START, "s", "b"), targets)
    assert record.prune(START + 1000 * DAY, NOTHING_KEPT) == {"notifications": 1}
    assert [one.notification.id for one in record.deliveries()] == ["no-1"]


def test_the_newest_line_keeps_the_numbers_growing(record: SqliteRecord) -> None:
    """A timeline that was pruned to its last line goes on with the next number."""
    for _ in range(5):
        record.tell(Kind.ENGINE, "x")
    record.prune(START + 1000 * DAY, NOTHING_KEPT)
    assert [entry.seq for entry in record.entries()] == [5]
    assert record.tell(Kind.ENGINE, "y").seq == 6


def test_a_file_too_large_loses_its_oldest_first(record: SqliteRecord) -> None:
    """Above max_size younger things go than their ages say, but never what is open or young."""
    body = {"text": "x" * 2000}
    for day in range(40):
        record.add([Event(f"ev-{day}-{n}", "s", START + day * DAY, body) for n in range(50)])
        record.mark([Mark(f"ev-{day}-{n}", 1 + day * 50 + n, 0) for n in range(50)])
    now = START + 40 * DAY
    limits = Retention(events=100 * DAY, max_size=2_000_000)
    assert record.used_bytes() > 4_000_000
    record.prune(now, limits)
    assert record.used_bytes() <= 2_000_000
    left = [row["received_at"] for row in record.db["events"].rows]
    assert min(left) > START + 20 * DAY
    assert max(left) == START + 39 * DAY, "the newest are still there"


def test_a_jump_of_an_hour_expires_nothing_that_is_a_day_from_its_limit(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """An hour either way moves every limit by that hour and no more."""
    record.tell(Kind.ENGINE, "first")
    record.tell(Kind.ENGINE, "newest")
    for jump in (3600.0, -7200.0):
        clock.jump(jump)
        assert record.prune(clock.now() + 89 * DAY, Retention()) == {}


async def test_a_clock_set_by_days_prunes_nothing_at_once(
    record: SqliteRecord,
    clock: ManualClock,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A wrong date is left time to be set right; when it stays, it counts from the next round."""
    record.tell(Kind.ENGINE, "first")
    record.tell(Kind.ENGINE, "newest")
    house = asyncio.create_task(keep_house(record, tmp_path, Retention(), clock))
    await clock.advance(0)
    await clock.advance(3600)
    clock.jump(400 * DAY)
    await clock.advance(3600)
    assert "nothing is pruned now" in caplog.text
    assert len(record.entries()) == 2
    await clock.advance(3600)
    assert [one.text for one in record.entries()] == ["newest", "pruned: 1 timeline"]
    house.cancel()


async def test_artifacts_go_when_their_run_is_settled_and_old(
    record: SqliteRecord, clock: ManualClock, tmp_path: Path
) -> None:
    """Folders of runs that are under way, unsettled or young stay, however old their files."""
    folder = tmp_path / "runner" / "artifacts"
    open_healing, done_healing = a_healing(), a_healing(resource="web2")
    runs = {}
    for name, healing in (("open", open_healing), ("done", done_healing)):
        record.add_healing(healing)
        record.start_healing(healing.id, START)
        attempt = an_attempt(healing)
        record.add_attempt(attempt)
        for state in ("running", "ended"):
            step = a_step(attempt, started_at=START)
            record.add_step(step)
            if state == "ended":
                record.end_step(a_result(step))
            runs[f"{name} {state}"] = step.ident
    record.end_healing(done_healing.id, Outcome.HEALED, "", START + 60)
    action = a_step(started_at=START)
    record.add_step(action)
    record.end_step(a_result(action, ended_at=START + 30))
    runs |= {"action": action.ident, "orphan": "st-gone"}
    for ident in runs.values():
        (folder / ident / "job_events").mkdir(parents=True)
        os.utime(folder / ident, (START, START))

    async def left_after(days: float) -> set[str]:
        await clock.advance(days * DAY)
        await tidy(record, tmp_path, Retention(), clock)
        return {name for name, ident in runs.items() if (folder / ident).exists()}

    assert await left_after(6) == set(runs) - {"orphan"}
    assert await left_after(2) == {"open running", "open ended", "done running"}


async def test_house_keeping_leaves_the_loop_its_time(
    record: SqliteRecord, clock: ManualClock, tmp_path: Path
) -> None:
    """Twenty thousand old rows go without the event loop standing still for long."""
    with record.transaction():
        for _ in range(20_000):
            record.tell(Kind.ENGINE, "x" * 200)
    await clock.advance(1000 * DAY)
    longest, last, done = 0.0, time.monotonic(), False

    async def watch() -> None:
        nonlocal longest, last
        while not done:
            await asyncio.sleep(0)
            now = time.monotonic()
            longest, last = max(longest, now - last), now

    watching = asyncio.create_task(watch())
    gone = await tidy(record, tmp_path, Retention(), clock)
    done = True
    await watching
    assert gone == {"timeline": 19_999}
    assert longest < 0.5, "50 ms is meant; a shared machine may take a nap"


def test_a_new_file_shrinks_after_pruning(record: SqliteRecord, file: Path) -> None:
    """What pruning has freed goes back to the file system, and the write-ahead log stays small."""
    with record.transaction():
        for _ in range(5000):
            record.tell(Kind.ENGINE, "x" * 1000)
    record.checkpoint()
    full = file.stat().st_size
    record.prune(START + 1000 * DAY, Retention())
    while record.shrink_step():
        pass
    record.checkpoint()
    assert file.stat().st_size < full / 4
