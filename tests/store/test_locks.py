"""Locks: all or none, never by two, free when their healing ends, taken away from the dead only."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.model import Lock, Outcome
from selfheal.ports import Lease
from selfheal.store import SqliteRecord, open_record
from tests.store.nouns import a_healing

ALIVE = Lease("engine 1", 200.0)
HEIR = Lease("engine 2", 300.0, is_dead=lambda lock: lock.holder == "engine 1")


def held(record: SqliteRecord) -> list[tuple[str, str]]:
    return [(lock.resource, lock.holder) for lock in record.locks()]


def test_all_or_none(record: SqliteRecord) -> None:
    """A healing that lacks one of its locks takes none; with the last one freed it takes all."""
    first = a_healing(locks=("haproxy:web", "host:web1"))
    second = a_healing(locks=("haproxy:web", "host:web2"))
    for healing in (first, second):
        record.add_healing(healing)
    assert record.start_healing(first.id, 100.0, ALIVE)
    assert not record.start_healing(second.id, 101.0, ALIVE)
    assert held(record) == [("haproxy:web", "engine 1"), ("host:web1", "engine 1")]
    assert record.locks_against(second) == [Lock("haproxy:web", first.id, "engine 1", 100.0, 200.0)]
    record.end_healing(first.id, Outcome.HEALED, "", 102.0)
    assert record.locks() == []
    assert record.start_healing(second.id, 103.0, ALIVE)


def test_a_start_that_fails_takes_no_lock(record: SqliteRecord) -> None:
    """What is rolled back with the start is the locks as well."""
    healing = a_healing(locks=("host:web1",))
    record.add_healing(healing)

    def starts_and_fails() -> None:
        with record.transaction():
            assert record.start_healing(healing.id, 100.0, ALIVE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        starts_and_fails()
    assert record.locks() == []


@pytest.mark.parametrize("everything", ["host:*", "all"])
def test_all_hosts_are_every_host(record: SqliteRecord, everything: str) -> None:
    """Who locks all hosts waits for each, and keeps each from the others; a pool is no host."""
    one, pool = a_healing(locks=("host:web1",)), a_healing(locks=("haproxy:web",))
    everybody = a_healing(locks=(everything,))
    for healing in (one, everybody, pool):
        record.add_healing(healing)
    assert record.start_healing(one.id, 1.0, ALIVE)
    assert not record.start_healing(everybody.id, 2.0, ALIVE)
    record.end_healing(one.id, Outcome.FAILED, "", 3.0)
    assert record.start_healing(everybody.id, 4.0, ALIVE)
    assert record.start_healing(pool.id, 5.0, ALIVE)
    another = a_healing(locks=("host:web9",))
    record.add_healing(another)
    assert not record.start_healing(another.id, 6.0, ALIVE)


def test_only_the_dead_lose_their_locks(record: SqliteRecord) -> None:
    """An expired lease proves nothing (its holder may be stopped); a dead holder loses it."""
    stopped, heir = a_healing(locks=("host:web1",)), a_healing(locks=("host:web1",))
    for healing in (stopped, heir):
        record.add_healing(healing)
    assert record.start_healing(stopped.id, 100.0, ALIVE)
    assert not record.start_healing(heir.id, 10_000.0, Lease("engine 2", 10_060.0))
    assert record.start_healing(heir.id, 10_000.0, HEIR)
    assert held(record) == [("host:web1", "engine 2")]
    assert not record.take_locks(stopped.id, 10_001.0, ALIVE), "the dead one is back, and waits"


def test_a_lease_is_renewed_and_taken_over(record: SqliteRecord) -> None:
    """The heartbeat moves the expiry of these healings only; the next engine keeps the locks."""
    mine, other = a_healing(locks=("host:web1",)), a_healing(locks=("host:web2",))
    for healing in (mine, other):
        record.add_healing(healing)
        assert record.start_healing(healing.id, 100.0, ALIVE)
    record.renew_locks([mine.id], 500.0)
    assert [lock.expires_at for lock in record.locks()] == [500.0, 200.0]
    assert record.take_locks(mine.id, 600.0, Lease("engine 2", 660.0))
    assert held(record) == [("host:web1", "engine 2"), ("host:web2", "engine 1")]


RESOURCES = st.sets(st.sampled_from(["host:a", "host:b", "host:*", "pool:x", "pool:y"]), min_size=1)
STEPS = st.lists(st.tuples(st.sampled_from(["start", "end"]), st.integers(0, 5)), max_size=40)


def clash(one: set[str], other: set[str]) -> bool:
    """Tell whether two may not run side by side."""
    hosts = [{name for name in names if name.startswith("host:")} for names in (one, other)]
    every = any("host:*" in names for names in hosts) and all(hosts)
    return bool(one & other) or every


@settings(max_examples=80, deadline=None)
@given(st.lists(RESOURCES, min_size=6, max_size=6), STEPS)
def test_never_held_by_two(wanted: list[set[str]], steps: list[tuple[str, int]]) -> None:
    """In any order of starts and ends: what clashes never runs side by side, all else may."""
    record = open_record(":memory:")
    healings = [a_healing(locks=tuple(sorted(names))) for names in wanted]
    for healing in healings:
        record.add_healing(healing)
    running: set[int] = set()
    done: set[int] = set()
    for verb, number in steps:
        if verb == "start" and number not in running | done:
            free = not any(clash(wanted[number], wanted[other]) for other in running)
            assert record.start_healing(healings[number].id, 1.0, ALIVE) == free
            running |= {number} if free else set()
        elif verb == "end" and number in running:
            record.end_healing(healings[number].id, Outcome.FAILED, "", 2.0)
            running.remove(number)
            done.add(number)
        assert {lock.resource for lock in record.locks()} == {
            name for one in running for name in wanted[one]
        }
    record.close()
