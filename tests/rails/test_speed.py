"""Each question of the rails is answered quickly, however much is on record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from selfheal.model import Key
from selfheal.store import SqliteRecord

from .world import START, World

ATTEMPTS = 100_000
EVERY = 300.0  # one in five minutes: about a year of a busy site
END = START + ATTEMPTS * EVERY
HOUR, DAY = 3600.0, 86400.0

_MANY = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :last) "
_FAULTS = (
    "INSERT INTO faults (id, fingerprint, type, severity, component, target, message, starts_at,"
    " last_seen, root_cause, labels, metadata, state, count, incident_id, ruleset, rule, event_id)"
    " SELECT 'ft-' || i, 'fp' || (i % 2000), 't', 'error', 'c', 'h' || (i % 500), '', :start + i"
    " * :every, 0, '', '{}', '{}', 'healed', 1, 'in-' || i, 'web', 'r' || (i % 50), '' FROM n"
)
_INCIDENTS = (
    "INSERT INTO incidents (id, primary_fault_id, state, opened_at)"
    " SELECT 'in-' || i, 'ft-' || i, 'healed', :start + i * :every FROM n"
)
_HEALINGS = (
    "INSERT INTO healings (id, incident_id, fault_id, resource, host, state, ladder, context,"
    " created_at, ended_at, outcome, reason, stop_requested, origin, options)"
    " SELECT 'he-' || i, 'in-' || i, 'ft-' || i, 'h' || (i % 500), 'h' || (i % 500), 'done', '[]',"
    " '{}', 0, :start + i * :every + 60, 'healed', '', '', 'engine', '{}' FROM n"
)
_ATTEMPTS = (
    "INSERT INTO attempts (id, healing_id, rung, solution, started_at, ended_at, outcome)"
    " SELECT 'at-' || i, 'he-' || i, 0, 's' || (i % 20), :start + i * :every,"
    " :start + i * :every + 60, CASE WHEN i % 7 THEN 'healed' ELSE 'failed' END FROM n"
)


@pytest.fixture(scope="module")
def record() -> Iterator[SqliteRecord]:
    """A record of a hundred thousand attempts on five hundred hosts."""
    world = World()
    values = {"last": ATTEMPTS - 1, "start": START, "every": EVERY}
    for statement in (_INCIDENTS, _FAULTS, _HEALINGS, _ATTEMPTS):
        at = statement.index(" SELECT")
        world.record.db.conn.execute(f"{statement[:at]} {_MANY}{statement[at:]}", values)
    yield world.record
    world.record.close()


QUESTIONS: dict[str, Callable[[SqliteRecord], object]] = {
    "begun by target": lambda r: r.healings_begun(Key("h7"), END - DAY, besides="x"),
    "begun by rule": lambda r: r.healings_begun(Key("", "web", "r7"), END - DAY, besides="x"),
    "begun by rule and target": lambda r: r.healings_begun(
        Key("h7", "web", "r7"), END - DAY, besides="x"
    ),
    "begun by solution": lambda r: r.healings_begun(Key(solution="s7"), END - DAY, besides="x"),
    "begun at all": lambda r: r.healings_begun(Key(), END - DAY, besides="x"),
    "running": lambda r: r.healings_running(Key("h7"), besides="x"),
    "running by solution": lambda r: r.healings_running(Key(solution="s7"), besides="x"),
    "at work": lambda r: r.healings_running(Key(solution="s7"), besides="x", at_work=True),
    "hosts running": lambda r: r.hosts_running(besides="x"),
    "hosts at work": lambda r: r.hosts_running(besides="x", at_work=True),
    "hosts touched": lambda r: r.hosts_touched([f"h{i}" for i in range(100)], END - HOUR),
    "has begun": lambda r: r.has_begun("he-99999", "s19"),
    "attempts begun": lambda r: r.attempts_begun(END - HOUR),
    "last end on a target": lambda r: r.last_end(Key("h7"), besides="x"),
    "last end of a solution": lambda r: r.last_end(Key("h7", solution="s7"), besides="x"),
    "failures": lambda r: r.failures("s7", 3, HOUR),
    "openings": lambda r: r.fault_openings("fp7", 4),
    "unhealthy": lambda r: r.unhealthy_targets(END - DAY),
    "ends of a rule": lambda r: r.rule_ends("web", "r7", END - DAY, 200),
    "pauses": lambda r: r.pauses(END),
    "silences": lambda r: r.silences(END),
    "windows": lambda r: r.maintenances(END),
    "storms": lambda r: r.storms(END),
    "autonomy": lambda r: r.autonomy("web", "r7"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_takes_a_millisecond_at_most(record: SqliteRecord, name: str) -> None:
    """The best of many: a busy machine makes it slower, never quicker."""
    ask = QUESTIONS[name]
    ask(record)
    times = []
    for _ in range(25):
        began = time.perf_counter()
        ask(record)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.001


def test_there_is_something_to_count(record: SqliteRecord) -> None:
    """The record is what the times above are about."""
    assert record.healings_begun(Key(), END - DAY, besides="x").number == DAY / EVERY - 1
    assert record.failures("s7", 1, HOUR).number >= 0
    assert len(record.fault_openings("fp7", 4)) == 4
