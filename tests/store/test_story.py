"""The journal, the timeline and the inbox."""

import contextlib
from pathlib import Path

import pytest

from selfheal.clock import ManualClock
from selfheal.errors import NotFoundError, StoreError
from selfheal.model import Entry, Event, Kind
from selfheal.store import SqliteRecord, open_record


def test_entries_are_gapless_and_in_order(record: SqliteRecord) -> None:
    """Sequence numbers have no hole, even where a block was undone."""
    record.tell(Kind.ENGINE, "one")
    with contextlib.suppress(ZeroDivisionError), record.transaction():
        record.tell(Kind.ENGINE, "undone")
        raise ZeroDivisionError
    told = record.tell(Kind.RULE, "two", incident_id="in-1", healing_id="he-1", data={"n": [1]})
    assert told == Entry(2, 1000.0, Kind.RULE, "two", "in-1", "he-1", {"n": [1]})
    assert record.entries()[1] == told
    assert [entry.seq for entry in record.entries()] == [1, 2]


def test_entries_are_followed_from_where_one_was(record: SqliteRecord) -> None:
    """`after` and `limit` page through; incident and healing narrow it."""
    for n in range(6):
        record.tell(Kind.STEP, str(n), incident_id=f"in-{n % 2}", healing_id=f"he-{n % 3}")
    assert [entry.text for entry in record.entries(after=2, limit=2)] == ["2", "3"]
    assert [entry.text for entry in record.entries(incident_id="in-1")] == ["1", "3", "5"]
    both = record.entries(incident_id="in-1", healing_id="he-0", after=1)
    assert [entry.text for entry in both] == ["3"]


def test_events_come_back_as_they_went_in(record: SqliteRecord) -> None:
    """Bodies of any JSON are kept; a batch is all or nothing."""
    events = [Event(f"ev-{n}", "webhook", 5.0, {"n": n, "é": [None]}, {"d": 1}) for n in range(3)]
    record.add(events)
    assert [record.event(event.id) for event in events] == events
    with pytest.raises(StoreError):
        record.add([Event("ev-9", "webhook", 5.0, {}), events[0]])
    with pytest.raises(NotFoundError):
        record.event("ev-9")


def test_messages_wait_until_done(file: Path) -> None:
    """What one process posts another takes, oldest first, until it says that it is done."""
    command, engine = open_record(file), open_record(file)
    first = command.post("emit", {"alert": "x"}, 1.0)
    second = command.post("stop", {"healing": "he-1"}, 2.0)
    assert engine.take() == [(first, "emit", {"alert": "x"}), (second, "stop", {"healing": "he-1"})]
    engine.done(first, "taken in")
    assert [number for number, _, _ in command.take()] == [second]
    assert command.db.table("inbox").get(first)["note"] == "taken in"
    with pytest.raises(NotFoundError):
        engine.done(99)
    command.close()
    engine.close()


def test_a_message_number_is_never_given_twice(record: SqliteRecord) -> None:
    """Numbers go up, also after messages were done."""
    numbers = []
    for _ in range(3):
        numbers.append(record.post("reload", {}, 1.0))
        record.done(numbers[-1])
    assert numbers == sorted(set(numbers))


def test_the_newest_entry_of_a_kind(record: SqliteRecord) -> None:
    """`status` asks what the engine said last."""
    assert record.last_entry(Kind.ENGINE) is None
    record.tell(Kind.ENGINE, "started")
    ready = record.tell(Kind.ENGINE, "ready")
    record.tell(Kind.RULE, "fired")
    assert record.last_entry(Kind.ENGINE) == ready


def test_a_leap_of_the_clock_shows_in_the_story() -> None:
    """A long silence right before the newest entries is seen, an old one is not."""
    clock = ManualClock()
    record = open_record(":memory:", clock)
    record.tell(Kind.ENGINE, "stopped")
    assert not record.time_leapt(3600.0, since=clock.now() - 60)
    clock.jump(400 * 86400)
    record.tell(Kind.ENGINE, "ready")
    assert record.time_leapt(3600.0, since=clock.now() - 60)
    clock.jump(120)
    record.tell(Kind.ENGINE, "healed")
    assert not record.time_leapt(3600.0, since=clock.now() - 60)
    record.close()
