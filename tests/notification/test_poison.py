"""A message that a target never takes costs no other one, be it in its bundle or after it."""

from __future__ import annotations

import asyncio

import pytest

from selfheal.clock import ManualClock
from selfheal.config import Bundle
from selfheal.model import DeliveryState, Kind, Notification
from selfheal.notification import FanoutNotifier
from selfheal.notification.courier import GIVE_UP_AFTER, NEWS_PAUSE
from selfheal.notification.sending import Undeliverable
from selfheal.store import SqliteRecord

HOUR = 3600.0
LIMIT = Bundle(after=3, within=300.0)


class Picky:
    """A target that takes nothing in which it finds the word poison, or nothing at all."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.down = False
        self.got: list[Notification] = []
        self.tried: list[str] = []

    async def send(self, told: Notification) -> None:
        self.tried.append(told.subject)
        if self.down:
            raise ConnectionError("nobody there")
        if "poison" in told.subject + told.body:
            raise self.error
        self.got.append(told)

    @property
    def subjects(self) -> list[str]:
        return [one.subject for one in self.got]


class Site:
    """One target, and engines that come and go."""

    def __init__(
        self, record: SqliteRecord, clock: ManualClock, error: Exception, limit: Bundle | None
    ) -> None:
        self.record, self.clock, self.limit = record, clock, limit
        self.chat = Picky(error)
        self.begin()

    def begin(self) -> None:
        self.notifier = FanoutNotifier(
            self.record, {"chat": self.chat.send}, self.clock, self.limit
        )

    async def die(self) -> None:
        """End as a process does that is killed."""
        tasks = list(self.notifier._couriers.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def tell(self, *subjects: str) -> None:
        for subject in subjects:
            await self.notifier.notify(subject, "", {"incident_id": f"in-{subject}"})
        await self.clock.advance(0)

    def states(self) -> dict[str, str]:
        """Subject to state."""
        found = self.record.deliveries(limit=1000)
        return {one.notification.subject: one.state.value for one in found}


REFUSES = Undeliverable("it answers 400")
FAILS = ConnectionError("it answers 500")


@pytest.mark.parametrize("place", [3, 9, 18])
async def test_what_is_refused_in_a_bundle_is_given_up_alone(
    record: SqliteRecord, clock: ManualClock, place: int
) -> None:
    """Wherever it lies: the other fifteen are told, in a few parts, each of them once."""
    site = Site(record, clock, REFUSES, LIMIT)
    names = [f"m{number}" for number in range(19)]
    names[place] = "poison"
    await site.tell(*names)
    await clock.advance(LIMIT.within)
    expected = dict.fromkeys(names, "delivered") | {"poison": "given_up"}
    assert site.states() == expected
    bodies = "\n".join(f"{one.subject}\n{one.body}\n" for one in site.chat.got[3:])
    for name in names[3:]:
        assert len([line for line in bodies.split("\n") if line.split()[-1:] == [name]]) == (
            name != "poison"
        )
    assert len(site.chat.tried) - 3 <= 9
    [entry] = [one for one in record.entries() if "gave up" in one.text]
    assert entry.incident_id == "in-poison"
    await site.notifier.drain()


async def test_halves_are_on_record(record: SqliteRecord, clock: ManualClock) -> None:
    """A death among the parts neither loses one nor tells one twice."""
    site = Site(record, clock, REFUSES, LIMIT)
    await site.tell("a", "b", "c", "d", "poison", *"efgh")
    send, parts = site.chat.send, 0

    async def dies_at_the_third(told: Notification) -> None:
        nonlocal parts
        parts += 1
        if parts == 3:
            await asyncio.Event().wait()
        await send(told)

    await site.die()
    site.notifier = FanoutNotifier(record, {"chat": dies_at_the_third}, clock, LIMIT)
    site.notifier.start()
    await clock.advance(LIMIT.within)
    assert parts == 3
    await site.die()
    site.begin()
    site.notifier.start()
    await clock.advance(0)
    assert site.states()["poison"] == "given_up"
    assert set(site.states().values()) == {"delivered", "given_up"}
    keys = [one.id for one in site.chat.got]
    assert len(keys) == len(set(keys))
    await site.notifier.drain()


async def test_what_fails_for_ever_holds_later_ones_back_for_half_a_minute(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """Then the target proves by the next one that it is the message: that one is tried beside
    the others, and given up after a day. Each of these turns is in its incident's story."""
    site = Site(record, clock, FAILS, None)
    await site.tell("poison", "a", "b")
    await clock.advance(30)
    assert site.chat.got == []
    await clock.advance(2)
    assert site.chat.subjects == ["a", "b"]
    for number in range(5):
        await clock.advance(HOUR)
        await site.tell(f"m{number}")
        assert site.chat.subjects[-1] == f"m{number}"
    assert site.states()["poison"] == "waiting"
    assert 30 < site.chat.tried.count("poison") < 60
    await clock.advance(GIVE_UP_AFTER)
    assert site.states()["poison"] == "given_up"
    story = [one.text for one in record.entries(incident_id="in-poison")]
    assert [text.split(":")[0] for text in story] == [
        "human needed",
        "could not tell chat yet",
        "chat takes later messages and not this one, which is put aside",
        "gave up telling chat 'poison'",
    ]
    await site.notifier.drain()


async def test_what_was_put_aside_is_told_when_it_can_be(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """The receiver was mended: no later than ten minutes after that."""
    site = Site(record, clock, FAILS, None)
    await site.tell("poison", "a")
    await clock.advance(HOUR)
    site.chat.error = ConnectionError()
    send = site.chat.send

    async def mended(told: Notification) -> None:
        if "poison" in told.subject:
            site.chat.got.append(told)
        else:
            await send(told)

    for courier in site.notifier._couriers:
        courier._send = mended
    await clock.advance(600)
    assert site.chat.subjects == ["a", "poison"]
    assert set(site.states().values()) == {"delivered"}
    await site.notifier.drain()


async def test_after_an_outage_the_order_is_as_it_was(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """However long nobody was there: who takes nothing proves nothing."""
    site = Site(record, clock, FAILS, None)
    site.chat.down = True
    for number in range(6):
        await site.tell(f"m{number}")
        await clock.advance(HOUR)
    site.chat.down = False
    await clock.advance(600)
    assert site.chat.subjects == [f"m{number}" for number in range(6)]
    await site.notifier.drain()


async def test_something_new_to_tell_cuts_a_long_pause_short(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """The pager is back since a minute: a new call, and what waits, is out in half a minute."""
    site = Site(record, clock, FAILS, None)
    site.chat.down = True
    await site.tell("old")
    await clock.advance(HOUR)
    site.chat.down = False
    await site.tell("new")
    await clock.advance(NEWS_PAUSE)
    assert site.chat.subjects == ["old", "new"]
    await site.notifier.drain()


async def test_a_restart_knows_what_failed_before(record: SqliteRecord, clock: ManualClock) -> None:
    """After a crash, and at the end of an engine, it holds back the others not for a second."""
    site = Site(record, clock, FAILS, None)
    await site.tell("poison", "a")
    await clock.advance(60)
    await site.die()
    site.begin()
    await site.tell("b")
    assert site.chat.subjects == ["a", "b"]
    await site.die()
    site.begin()
    await site.notifier.notify("last words", "", {})
    await site.notifier.drain()
    assert site.chat.subjects == ["a", "b", "last words"]


async def test_a_bundle_that_fails_while_others_get_through_is_halved(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """What is good in it is told, what is not is tried beside it."""
    site = Site(record, clock, FAILS, LIMIT)
    await site.tell("a", "b", "c", "d", "poison", "e", "f")
    await clock.advance(2 * LIMIT.within)
    assert site.chat.subjects == ["a", "b", "c"], "the bundle fails, and nothing else is there"
    await site.tell("g")
    for _ in range(4):
        await clock.advance(LIMIT.within)
        await site.tell("h")
    waiting = {name for name, state in site.states().items() if state != "delivered"}
    assert waiting == {"poison"}
    await site.notifier.drain()


async def test_a_question_that_fails_for_ever_holds_nothing_back(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """Questions go first, and yet not for ever."""
    site = Site(record, clock, FAILS, LIMIT)
    await site.notifier.notify("poison", "", {"incident_id": "in-q", "approval_id": "ap-1"})
    await site.tell("a")
    await clock.advance(40)
    assert site.chat.subjects == ["a"]
    [question] = record.deliveries(incident_id="in-q")
    assert question.state is DeliveryState.WAITING
    assert any(one.kind is Kind.NOTIFICATION for one in record.entries(incident_id="in-q"))
    await site.notifier.drain()
