"""While the record can't be written people are called from memory, and yet not flooded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from selfheal.clock import ManualClock
from selfheal.config import Bundle
from selfheal.errors import StoreError
from selfheal.model import Notification
from selfheal.notification import FanoutNotifier
from selfheal.store import SqliteRecord, open_record

LIMIT = Bundle(after=3, within=300.0)


class Full:
    """A record on a full disk, until there is room."""

    def __init__(self, record: SqliteRecord, monkeypatch: pytest.MonkeyPatch) -> None:
        add = record.add_notification
        self.full = True

        def refuses(told: Notification, targets: list[str]) -> bool:
            if self.full:
                raise StoreError("the disk is full")
            return add(told, targets)

        monkeypatch.setattr(record, "add_notification", refuses)


class Target:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.got: list[Notification] = []

    async def send(self, told: Notification) -> None:
        self.got.append(told)

    @property
    def subjects(self) -> list[str]:
        return [one.subject for one in self.got]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000.0)


@pytest.fixture
def record(clock: ManualClock) -> Iterator[SqliteRecord]:
    opened = open_record(":memory:", clock)
    yield opened
    opened.close()


@pytest.fixture
def disk(record: SqliteRecord, monkeypatch: pytest.MonkeyPatch) -> Full:
    return Full(record, monkeypatch)


async def tell(notifier: FanoutNotifier, clock: ManualClock, *subjects: str) -> None:
    for subject in subjects:
        await notifier.notify(subject, "", {"incident_id": f"in-{subject}"})
    await clock.advance(0)


async def test_a_flood_is_a_few_messages_and_a_bundle(
    record: SqliteRecord, clock: ManualClock, disk: Full
) -> None:
    """A thousand calls while the disk is full: three, then one bundle a window for each target,
    which lists or counts them all; afterwards single messages come again."""
    pager, chat = Target(), Target()
    notifier = FanoutNotifier(record, {"pager": pager.send, "chat": chat.send}, clock, LIMIT)
    await tell(notifier, clock, *(f"web{number} down" for number in range(1000)))
    assert pager.subjects == ["web0 down", "web1 down", "web2 down"]
    await clock.advance(LIMIT.within)
    assert pager.subjects[3:] == ["997 more messages"]
    await tell(notifier, clock, "a", "b")
    await clock.advance(LIMIT.within)
    assert pager.subjects[4:] == ["2 more messages"]
    await clock.advance(LIMIT.within)
    await tell(notifier, clock, "c")
    assert pager.subjects[5:] == ["c"]
    assert chat.subjects == pager.subjects
    await notifier.drain()


async def test_a_question_is_asked_at_once(
    record: SqliteRecord, clock: ManualClock, disk: Full
) -> None:
    """In the middle of the flood, and it takes nobody's place."""
    pager = Target()
    notifier = FanoutNotifier(record, {"pager": pager.send}, clock, LIMIT)
    for number in range(3):
        await notifier.notify(f"question {number}", "", {"approval_id": "ap-1"})
    await tell(notifier, clock, *"abcd")
    await notifier.notify("last question", "", {"approval_id": "ap-2"})
    await clock.advance(0)
    assert pager.subjects[3:] == ["a", "b", "c", "last question"]
    await notifier.drain()
    assert pager.subjects[7:] == ["d"], "what is held goes out at the end; one alone is no bundle"


async def test_what_is_held_goes_on_record_when_there_is_room(
    record: SqliteRecord, clock: ManualClock, disk: Full
) -> None:
    """Then it is delivered like any other, with its place in the story of its incident."""
    pager = Target()
    notifier = FanoutNotifier(record, {"pager": pager.send}, clock, LIMIT)
    await tell(notifier, clock, *"abcde")
    disk.full = False
    await clock.advance(LIMIT.within)
    assert pager.subjects == ["a", "b", "c", "d", "e"]
    assert "told pager" in record.entries(incident_id="in-e")[-1].text
    await notifier.drain()


@pytest.mark.parametrize("room", [True, False])
async def test_the_end_of_the_engine_holds_nothing_back(
    record: SqliteRecord, clock: ManualClock, disk: Full, room: bool
) -> None:
    """Nobody knows when the next one starts, and memory ends with this one."""
    pager = Target()
    notifier = FanoutNotifier(record, {"pager": pager.send}, clock, LIMIT)
    await tell(notifier, clock, *"abcde")
    disk.full = not room
    await notifier.drain()
    told = ["d", "e"] if room else ["2 more messages"]
    assert pager.subjects[3:] == told


async def test_without_bundling_each_comes_by_itself(
    record: SqliteRecord, clock: ManualClock, disk: Full
) -> None:
    """`bundle: off` says so for the time without a record as well."""
    pager = Target()
    notifier = FanoutNotifier(record, {"pager": pager.send}, clock, None)
    await tell(notifier, clock, *"abcdefgh")
    assert pager.subjects == list("abcdefgh")
    await notifier.drain()
