"""What is counted follows the attempts, whoever writes or deletes them."""

from __future__ import annotations

from sqlite_utils import Database

from selfheal.clock import ManualClock
from selfheal.model import Key, Outcome
from selfheal.store import SqliteRecord
from selfheal.store.connection import MEMORY, Connection
from selfheal.store.migrations import MIGRATIONS, migrate

from .conftest import Build
from .world import START


def test_what_an_older_selfheal_did_counts(build: Build) -> None:
    """After an upgrade the limits and the breaker know the attempts of before."""
    db = Connection(MEMORY)
    for step in MIGRATIONS[:6]:
        step(Database(db.raw))
    healing = (
        "INSERT INTO healings (id, fault_id, resource, state, options) VALUES (?, '', ?, ?, ?)"
    )
    attempt = (
        "INSERT INTO attempts (id, healing_id, rung, solution, started_at, ended_at, outcome) "
        "VALUES (?, ?, 0, 'restart', 100, 110, ?)"
    )
    for number, (options, outcome) in enumerate(
        [("{}", "failed"), ("{}", "refused"), ('{"check": true}', "failed")]
    ):
        db.execute(healing, (f"he-{number}", "web1", "done", options))
        db.execute(attempt, (f"at-{number}", f"he-{number}", outcome))
    db.execute(attempt, ("at-9", "he-0", "failed"))
    history = "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT, applied_at FLOAT)"
    db.execute(history)
    db.execute("INSERT INTO migrations VALUES (6, 'm006', 0)")
    migrate(db, ManualClock(START))
    record = SqliteRecord(db, ManualClock(START))
    assert record.healings_begun(Key("web1"), 0, besides="").number == 1
    assert record.failures("restart", 3, 3600).number == 2
    assert record.hosts_touched(["web1", "web2"], 0) == {"web1"}
    record.close()


def test_what_is_pruned_counts_no_longer(build: Build) -> None:
    """No row of an attempt stays behind when the attempt goes."""
    world = build()
    world.run("web1", Outcome.FAILED)
    world.record.db.conn.execute("DELETE FROM attempts")
    assert world.record.failures("restart", 1, 3600).number == 0
    assert world.record.hosts_touched(["web1"], 0) == frozenset()
    for table in ("rail_attempts", "rail_hosts"):
        assert world.record.db[table].count == 0


def test_an_attempt_that_is_refused_after_all_counts_no_longer(build: Build) -> None:
    """The second attempt of the healing is its first, then."""
    world = build()
    healing = world.healing()
    first = world.begin(healing)
    world.record.end_attempt(first.id, Outcome.REFUSED, world.now)
    assert not world.record.has_begun(healing.id)
    world.pass_(10)
    world.begin(healing, "replace")
    found = world.record.healings_begun(Key("web1"), world.now - 5, besides="")
    assert (found.number, found.oldest) == (1, world.now)
