"""Floods: a target hears a few messages and then a bundle, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from selfheal.clock import ManualClock
from selfheal.config import Bundle, Notify, WebhookTarget
from selfheal.errors import StoreError
from selfheal.model import Delivery, DeliveryState, Kind, Notification
from selfheal.notification import FanoutNotifier, build_notifier
from selfheal.notification.bundle import bundle
from selfheal.notification.sending import Undeliverable
from selfheal.store import SqliteRecord, open_record
from tests.notification.servers import until, webhook

WINDOW = 300.0
LIMIT = Bundle(after=3, within=WINDOW)


class Target:
    """A target in memory: fails as long as it is told how."""

    def __init__(self) -> None:
        self.fails: Exception | None = None
        self.got: list[Notification] = []

    async def send(self, told: Notification) -> None:
        if self.fails:
            raise self.fails
        self.got.append(told)

    @property
    def subjects(self) -> list[str]:
        return [one.subject for one in self.got]


class Site:
    """A notifier with its targets, that can die as a process does."""

    def __init__(self, record: SqliteRecord, clock: ManualClock, *names: str) -> None:
        self.record, self.clock = record, clock
        self.targets = {name: Target() for name in names or ("pager",)}
        self.start()

    @property
    def pager(self) -> Target:
        return self.targets["pager"]

    def start(self) -> None:
        senders = {name: target.send for name, target in self.targets.items()}
        self.notifier = FanoutNotifier(self.record, senders, self.clock, LIMIT)

    async def die(self) -> None:
        """End in the middle, with nothing done that a sudden death would not do."""
        tasks = list(self.notifier._couriers.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def tell(self, *subjects: str) -> None:
        for subject in subjects:
            await self.notifier.notify(subject, "evidence", {"incident_id": f"in-{subject}"})
        await self.clock.advance(0)

    async def ask(self, subject: str) -> None:
        await self.notifier.notify(subject, "", {"incident_id": "in-q", "approval_id": "ap-1"})
        await self.clock.advance(0)

    def states(self) -> list[str]:
        return [one.state.value for one in self.record.deliveries(limit=10_000)]


async def test_what_is_too_much_comes_as_one_at_the_end_of_the_window(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """Three come by themselves; the others are held, and listed in one message when time is up."""
    site = Site(record, clock)
    await site.tell("a", "b", "c", "d", "e")
    assert site.pager.subjects == ["a", "b", "c"]
    assert site.states() == ["delivered"] * 3 + ["held"] * 2
    await clock.advance(WINDOW - 1)
    assert site.pager.subjects == ["a", "b", "c"]
    await clock.advance(1)
    assert site.pager.subjects == ["a", "b", "c", "2 more messages"]
    body = site.pager.got[-1].body
    assert "in-d  d" in body
    assert "in-e  e" in body
    assert site.states() == ["delivered"] * 5
    story = [one.text for one in record.entries(incident_id="in-e")]
    assert story[-1] == "told pager in a bundle of 2"
    await site.notifier.drain()


async def test_a_thousand_messages_are_a_handful_of_deliveries(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """Over ten minutes of storm a target hears three messages and two bundles, which list or
    count each of the thousand; each has its own state."""
    site = Site(record, clock)
    for number in range(1000):
        await site.notifier.notify(f"web{number} is down", "", {"incident_id": f"in-{number}"})
        if number % 10 == 0:
            await clock.advance(6)
    await clock.advance(WINDOW)
    assert len(site.pager.got) < 8
    singles = [one for one in site.pager.subjects if "more messages" not in one]
    bundles = [int(one.split()[0]) for one in site.pager.subjects if "more messages" in one]
    assert len(singles) + sum(bundles) == 1000
    assert site.states() == ["delivered"] * 1000
    assert all(len(one.body) < 20_000 for one in site.pager.got)
    await site.notifier.drain()


async def test_a_question_goes_out_at_once(record: SqliteRecord, clock: ManualClock) -> None:
    """In the middle of a flood an approval is asked for by itself, and takes nobody's place."""
    site = Site(record, clock)
    await site.ask("first question")
    await site.tell("a", "b", "c", "d")
    for number in range(5):
        await site.ask(f"question {number}")
    assert site.pager.subjects[4:] == [f"question {number}" for number in range(5)]
    await clock.advance(WINDOW)
    assert site.pager.subjects[-1] == "d"
    await site.notifier.drain()


async def test_one_that_was_held_alone_comes_as_it_is(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """A bundle of one would say less than the message."""
    site = Site(record, clock)
    await site.tell("a", "b", "c", "d")
    await clock.advance(WINDOW)
    assert (site.pager.got[-1].subject, site.pager.got[-1].body) == ("d", "evidence")
    await site.notifier.drain()


async def test_a_flood_that_lasts_is_one_bundle_a_window_and_then_ends(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """A bundle counts as what is in it: as long as it comes thick, no single messages between."""
    site = Site(record, clock)
    await site.tell(*"abcdefg")
    await clock.advance(WINDOW)
    await site.tell(*"hijk")
    await clock.advance(WINDOW)
    assert site.pager.subjects[3:] == ["4 more messages"] * 2
    await clock.advance(WINDOW)
    await site.tell("l")
    assert site.pager.subjects[-1] == "l"
    await site.notifier.drain()


async def test_each_target_has_its_own_window(record: SqliteRecord, clock: ManualClock) -> None:
    """One that has heard nothing yet hears single messages while another one's are held."""
    site = Site(record, clock)
    await site.tell(*"abc")
    await site.die()
    site.targets["chat"] = Target()
    site.start()
    await site.tell("d")
    assert (site.pager.subjects, site.targets["chat"].subjects) == (["a", "b", "c"], ["d"])
    await clock.advance(WINDOW)
    assert site.pager.subjects[-1] == "d"
    await site.notifier.drain()


async def test_a_restart_in_mid_window_changes_nothing(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """What was held is held on, together with what comes, until the same moment."""
    site = Site(record, clock)
    await site.tell(*"abcde")
    await clock.advance(100)
    await site.die()
    site.start()
    site.notifier.start()
    await site.tell("f")
    await clock.advance(WINDOW - 101)
    assert len(site.pager.got) == 3
    await clock.advance(1)
    assert site.pager.subjects[3:] == ["3 more messages"]
    await site.notifier.drain()


async def test_what_was_held_by_an_engine_that_was_long_gone_is_one_bundle(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """The window ended while nobody was there: the start sends one message, not many."""
    site = Site(record, clock)
    await site.tell(*"abcdefgh")
    await site.die()
    await clock.advance(10 * WINDOW)
    site.start()
    site.notifier.start()
    await clock.advance(0)
    assert site.pager.subjects[3:] == ["5 more messages"]
    await site.notifier.drain()


async def test_a_bundle_whose_delivery_was_not_noted_is_the_same_again(
    record: SqliteRecord, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A death between delivery and note repeats the bundle by id and by word, though more has
    come meanwhile; that is told after it."""
    site = Site(record, clock)
    await site.tell(*"abcde")

    def refuses(*args: object) -> None:
        raise StoreError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(record, "end_delivery", refuses)
        await clock.advance(WINDOW)
        await site.die()
    site.start()
    site.notifier.start()
    await site.tell(*"fgh")
    first, second = site.pager.got[3:5]
    assert (first.subject, second) == ("2 more messages", first)
    await clock.advance(2 * WINDOW)
    assert site.states() == ["delivered"] * 8
    assert "f" in "".join(one.subject + one.body for one in site.pager.got[5:])
    await site.notifier.drain()


async def test_the_end_of_the_engine_holds_nothing_back(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """Nobody knows when the next engine starts: what is held goes out now, the last words too."""
    site = Site(record, clock)
    await site.tell(*"abcd")
    await site.notifier.notify("the engine can't go on", "", {})
    await site.notifier.drain()
    assert site.pager.subjects[3:] == ["2 more messages"]
    assert "(no incident)  the engine can't go on" in site.pager.got[-1].body


async def test_a_target_that_fails_gets_the_bundle_later(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """A bundle is tried again as a message is; being held is no trying, a story told once."""
    site = Site(record, clock)
    await site.tell(*"abcde")
    site.pager.fails = ConnectionError("nobody there")
    await clock.advance(WINDOW)
    assert {one.waited for one in record.deliveries(state="held")} == {0.0}
    await clock.advance(60)
    site.pager.fails = None
    await clock.advance(600)
    assert site.pager.subjects[3:] == ["2 more messages"]
    texts = [one.text for one in record.entries() if one.kind is Kind.NOTIFICATION]
    assert sum("could not tell pager yet" in text for text in texts) == 1
    await site.notifier.drain()


async def test_a_bundle_that_is_refused_for_good_is_given_up_by_name(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """Each message of it says in its own incident's story that nobody got it."""
    site = Site(record, clock)
    await site.tell(*"abcde")
    site.pager.fails = Undeliverable("it answers 413")
    await clock.advance(WINDOW)
    assert site.states() == ["delivered"] * 3 + ["given_up"] * 2
    for incident in ("in-d", "in-e"):
        assert "gave up" in record.entries(incident_id=incident)[-1].text
    await site.notifier.drain()


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, -400 * 86_400.0, 400 * 86_400.0])
async def test_a_jump_of_the_wall_clock_holds_nothing_for_longer(
    record: SqliteRecord, clock: ManualClock, jump: float
) -> None:
    """Whatever the clock on the wall says, a window after it was held a message is out."""
    site = Site(record, clock)
    await site.tell(*"abcde")
    clock.jump(jump)
    await site.tell("f")
    await clock.advance(WINDOW)
    assert site.states() == [DeliveryState.DELIVERED.value] * 6
    await site.notifier.drain()


SUBJECTS = st.lists(st.text(max_size=300) | st.sampled_from(["web1 down", "web2 down"]), min_size=2)


@given(SUBJECTS, st.integers(1, 40))
def test_a_bundle_lists_or_counts_each(subjects: list[str], times: int) -> None:
    """The counts of the groups and of the rest add up, and no subject makes it long or forges a
    line of it."""
    many = [Notification(f"no-{at}", 0.0, one, "") for at, one in enumerate(subjects * times)]
    told = bundle("no-b", [Delivery(one, "pager") for one in many]).message
    assert told.subject == f"{len(many)} more messages"
    lines = told.body.split("\n")
    groups = [int(found[1]) for line in lines if (found := re.match(r"(\d+) x ", line))]
    rest = [int(found[1]) for line in lines if (found := re.match(r"and (\d+) more", line))]
    assert sum(groups) + sum(rest) == len(many)
    assert len(told.body) < 40_000


def test_bundling_is_on_unless_switched_off() -> None:
    """The default bundles after ten in five minutes; `off` doesn't; what makes no sense is
    refused."""
    assert Notify().bundle == Bundle(after=10, within=300.0)
    assert Notify.model_validate({"bundle": {"after": 3}}).bundle == Bundle(after=3, within=300.0)
    assert Notify.model_validate({"bundle": False}).bundle is None  # as YAML reads `off`
    for wrong in ({"after": 0}, {"within": 0}, {"every": "5m"}, True):
        with pytest.raises(ValidationError):
            Notify.model_validate({"bundle": wrong})


LIFE = """
import asyncio, sys
from selfheal.config import Bundle, Notify, WebhookTarget
from selfheal.notification import build_notifier
from selfheal.store import open_record

async def main(file, url, life):
    record = open_record(file)
    limit = Bundle(after=2, within=0.05)
    notifier = build_notifier(Notify(webhooks=[WebhookTarget(url=url)], bundle=limit), record)
    notifier.start()
    for number in range(1000):
        subject = f"{life}-{number}"
        await notifier.notify(subject, "b", {"incident_id": f"in-{subject}"})
        print(subject, flush=True)
        await asyncio.sleep(0.002)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_kill_9_loses_nothing_of_a_bundle(tmp_path: Path) -> None:
    """Over six sudden deaths in a flood each message is heard of, by itself or in a bundle, and a
    bundle that comes twice has one key and the same words."""
    file, handed_over = tmp_path / "record.db", []
    async with webhook() as hook:
        for life in range(6):
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", LIFE, str(file), hook.url, str(life)),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert child.stdout
            for _ in range(20 + 9 * life):
                handed_over.append((await child.stdout.readline()).decode().strip())
            child.kill()
            handed_over += (await child.stdout.read()).decode().split()
            await child.wait()
        record = open_record(file)
        last = build_notifier(Notify(webhooks=[WebhookTarget(url=hook.url)]), record)
        last.start()
        await until(lambda: not record.deliveries(state="waiting"))
        await last.drain()
        states = {one.state for one in record.deliveries(limit=10_000)}
        record.close()
    assert states == {DeliveryState.DELIVERED}
    said = "\n".join(f"{one['subject']}\n{one['body']}" for one in hook.heard) + "\n"
    assert any("more messages" in one for one in hook.subjects)
    assert [one for one in handed_over if f"{one}\n" not in said] == []
    words: dict[str, set[str]] = {}
    for key, one in zip(hook.keys, hook.heard, strict=True):
        words.setdefault(key, set()).add(one["text"])
    assert all(len(each) == 1 for each in words.values())
