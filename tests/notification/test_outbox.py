"""The outbox: what was handed over arrives, or the record says that it did not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from selfheal.clock import ManualClock
from selfheal.config import Notify, SmtpTarget, WebhookTarget
from selfheal.errors import StoreError
from selfheal.model import DeliveryState, Kind, Notification
from selfheal.notification import FanoutNotifier, build_notifier
from selfheal.notification.courier import GIVE_UP_AFTER
from selfheal.store import SqliteRecord, open_record
from tests.notification.servers import Hook, mail_server, until, webhook

HOUR = 3600.0


class Target:
    """A target in memory: fails as long as it is told to."""

    def __init__(self) -> None:
        self.fails = False
        self.tried = 0
        self.got: list[str] = []

    async def send(self, told: Notification) -> None:
        self.tried += 1
        if self.fails:
            raise ConnectionError("nobody there")
        self.got.append(told.subject)


def hooked(record: SqliteRecord, *hooks: Hook) -> FanoutNotifier:
    targets = [WebhookTarget(url=one.url) for one in hooks]
    return build_notifier(Notify(webhooks=targets, bundle=None), record)


def told(record: SqliteRecord) -> list[str]:
    return [one.text for one in record.entries() if one.kind is Kind.NOTIFICATION]


async def test_one_dead_target_never_silences_another(record: SqliteRecord) -> None:
    """When one target refuses, the other is told; the message to the first waits, on record."""
    async with webhook(500) as bad, webhook() as good:
        notifier = hooked(record, bad, good)
        await notifier.notify("s", "b", {})
        await notifier.drain()
    assert good.subjects == ["s"]
    assert any("could not tell webhook 1 yet: it answers 500" in line for line in told(record))
    [waiting] = record.deliveries(state="waiting")
    assert (waiting.target, waiting.tries) == ("webhook 1", 1)


async def test_a_slow_target_holds_up_nobody(record: SqliteRecord) -> None:
    """While one target does not answer, the other has every message already."""
    async with webhook(slow=True) as slow, webhook() as quick:
        notifier = hooked(record, slow, quick)
        for number in range(5):
            await notifier.notify(f"m{number}", "b", {})
        await until(lambda: len(quick.heard) == 5)
        assert slow.subjects == ["m0"]
        slow.gate.set()
        await notifier.drain()
    assert slow.subjects == quick.subjects == [f"m{number}" for number in range(5)]


async def test_messages_reach_a_target_in_order_with_growing_pauses(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """Failures are tried again after 1, 2, 4, 8 s; what comes later does not overtake."""
    target = Target()
    target.fails = True
    notifier = FanoutNotifier(record, {"chat": target.send}, clock)
    for subject in ("a", "b", "c"):
        await notifier.notify(subject, "", {})
    await clock.advance(0)
    times = []
    for _ in range(16):
        before = target.tried
        await clock.advance(1)
        if target.tried > before:
            times.append(clock.monotonic())
    assert times == [1, 3, 7, 15]
    target.fails = False
    await clock.advance(600)
    assert target.got == ["a", "b", "c"]
    assert [one.state for one in record.deliveries()] == [DeliveryState.DELIVERED] * 3
    assert told(record).count("told chat after 5 failed tries") == 1
    assert sum("could not tell" in line for line in told(record)) == 1
    await notifier.drain()


async def test_after_a_day_of_trying_a_message_is_given_up_and_that_is_told(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """Whatever waited a day is given up, in order; a pause never exceeds ten minutes."""
    target = Target()
    target.fails = True
    notifier = FanoutNotifier(record, {"chat": target.send}, clock)
    await notifier.notify("old", "", {})
    await clock.advance(0)
    await clock.advance(HOUR)
    await notifier.notify("young", "", {})
    await clock.advance(GIVE_UP_AFTER - HOUR + 1200)
    assert [one.state.value for one in record.deliveries()] == ["given_up", "waiting"]
    assert any("gave up telling chat 'old': nobody there" in line for line in told(record))
    assert target.tried >= 24 * 6
    target.fails = False
    await clock.advance(600)
    assert target.got == ["young"]
    await notifier.drain()


@pytest.mark.parametrize("jump", [-HOUR, HOUR, -400 * 24 * HOUR, 400 * 24 * HOUR])
async def test_a_jump_of_the_wall_clock_gives_nothing_up(
    record: SqliteRecord, clock: ManualClock, jump: float
) -> None:
    """The day counts what passed, not what the clock on the wall says."""
    target = Target()
    target.fails = True
    notifier = FanoutNotifier(record, {"chat": target.send}, clock)
    await notifier.notify("m", "", {})
    await clock.advance(10)
    clock.jump(jump)
    await clock.advance(2 * HOUR)
    [waiting] = record.deliveries()
    assert waiting.state is DeliveryState.WAITING
    assert 0 < waiting.waited < 2 * HOUR + 10
    target.fails = False
    await clock.advance(600)
    assert target.got == ["m"]
    await notifier.drain()


async def test_a_message_that_is_refused_for_good_does_not_stop_the_next(
    record: SqliteRecord,
) -> None:
    """A 400 says that the message is at fault: it is given up at once, and told."""
    async with webhook(400) as hook:
        notifier = hooked(record, hook)
        await notifier.notify("bad", "b", {})
        await until(lambda: record.deliveries(state="given_up"))
        hook.status = 200
        await notifier.notify("good", "b", {})
        await notifier.drain()
    assert hook.subjects == ["bad", "good"]


async def test_a_mail_that_is_refused_for_good_is_given_up(record: SqliteRecord) -> None:
    """A mail server that says 554 to the text is not asked again; one that says 451 is."""
    for refusal, state in ((b"554 spam\r\n", "given_up"), (b"451 later\r\n", "waiting")):
        async with mail_server([], refusal) as port:
            target = SmtpTarget(host="127.0.0.1", port=port, sender="a@b.org", to=["c@d.org"])
            notifier = build_notifier(Notify(smtp=[target]), record)
            await notifier.notify(state, "b", {})
            await notifier.drain()
    assert [one.state.value for one in record.deliveries()] == ["given_up", "waiting"]


async def test_one_cause_is_told_once(record: SqliteRecord, clock: ManualClock) -> None:
    """A call that is made again after a crash is no second call; another incident is."""
    target = Target()
    notifier = FanoutNotifier(record, {"chat": target.send}, clock)
    data = {"incident_id": "in-1", "outcome": "failed"}
    await notifier.notify("web1 down", "evidence", data)
    await notifier.notify("web1 down", "evidence, gathered again", data)
    await notifier.notify("web1 down", "evidence", {**data, "incident_id": "in-2"})
    await notifier.notify("engine ended", "no incident", {})
    await notifier.notify("engine ended", "no incident", {})
    await notifier.drain()
    assert target.got == ["web1 down"] * 2 + ["engine ended"] * 2
    assert sum("human needed" in line for line in told(record)) == 4


async def test_a_message_belongs_to_its_callers_transaction(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """What the caller undoes is not sent; what it keeps is on disk together with the rest."""
    target = Target()
    notifier = FanoutNotifier(record, {"chat": target.send}, clock)

    async def undone() -> None:
        with record.transaction():
            await notifier.notify("undone", "", {})
            raise KeyError

    with pytest.raises(KeyError):
        await undone()
    await notifier.notify("kept", "", {})
    await notifier.drain()
    assert target.got == ["kept"]


async def test_what_waits_is_taken_up_at_the_next_start(tmp_path: Path) -> None:
    """A message that could not be delivered before the engine ended is delivered by the next."""
    async with webhook(503) as hook:
        record = open_record(tmp_path / "record.db")
        notifier = hooked(record, hook)
        await notifier.notify("s", "b", {})
        await notifier.drain()
        record.close()
        hook.status = 200
        record = open_record(tmp_path / "record.db")
        later = hooked(record, hook)
        later.start()
        await until(lambda: record.deliveries(state="delivered"))
        await later.drain()
        record.close()
    assert hook.subjects == ["s", "s"]
    assert len(set(hook.keys)) == 1


async def test_what_waits_for_a_target_that_is_gone_is_given_up(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """A target taken out of the configuration leaves no message that waits for ever."""
    target = Target()
    target.fails = True
    before = FanoutNotifier(record, {"chat": target.send}, clock)
    await before.notify("s", "b", {})
    await before.drain()
    after = FanoutNotifier(record, {}, clock)
    after.start()
    await after.drain()
    assert [one.state for one in record.deliveries()] == [DeliveryState.GIVEN_UP]
    assert any("no longer configured" in line for line in told(record))


async def test_a_record_that_cannot_be_written_does_not_silence_the_call(
    record: SqliteRecord, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the disk full the targets are told once, from memory: that is when it matters most."""

    def full(*args: object) -> bool:
        raise StoreError("the disk is full")

    target = Target()
    notifier = FanoutNotifier(record, {"chat": target.send}, clock)
    monkeypatch.setattr(record, "add_notification", full)
    await notifier.notify("disk full", "b", {})
    await notifier.drain()
    assert target.got == ["disk full"]


async def test_a_delivery_that_cannot_be_noted_is_not_sent_again(
    record: SqliteRecord, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the record refuses for a while, the note is tried again, not the message."""
    end, refusals = record.end_delivery, 0

    def refuses(*args: object) -> None:
        nonlocal refusals
        refusals += 1
        if refusals < 4:
            raise StoreError("the disk is full")
        end(*args)  # type: ignore[arg-type]  # handed on as they came

    target = Target()
    monkeypatch.setattr(record, "end_delivery", refuses)
    notifier = FanoutNotifier(record, {"chat": target.send}, clock)
    await notifier.notify("s", "b", {})
    await clock.advance(0)
    await clock.advance(10)
    assert (refusals, target.got) == (4, ["s"])
    assert [one.state for one in record.deliveries()] == [DeliveryState.DELIVERED]
    await notifier.drain()


LIFE = """
import asyncio, sys
from selfheal.config import Notify, WebhookTarget
from selfheal.notification import build_notifier
from selfheal.store import open_record

async def main(file, url, life):
    record = open_record(file)
    notifier = build_notifier(Notify(webhooks=[WebhookTarget(url=url)], bundle=None), record)
    notifier.start()
    for number in range(1000):
        await notifier.notify(f"{life}-{number}", "b", {})
        print(f"{life}-{number}", flush=True)
        await asyncio.sleep(0.002)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_kill_9_loses_no_message_that_was_handed_over(tmp_path: Path) -> None:
    """Over six sudden deaths each message arrives at least once, in order, a repeat by its key."""
    file, lives, handed_over = tmp_path / "record.db", 6, []
    async with webhook() as hook:
        for life in range(lives):
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", LIFE, str(file), hook.url, str(life)),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            assert child.stdout
            for _ in range(5 + 4 * life):
                handed_over.append((await child.stdout.readline()).decode().strip())
            child.kill()
            handed_over += (await child.stdout.read()).decode().split()
            await child.wait()
        record = open_record(file)
        last = hooked(record, hook)
        last.start()
        await last.drain()
        written = [one.notification for one in record.deliveries(limit=10_000)]
        waiting = record.deliveries(state="waiting")
        record.close()
    assert not waiting
    assert set(handed_over) <= {one.subject for one in written}
    firsts = list(dict.fromkeys(hook.keys))
    assert firsts == [one.id for one in written]
    assert len(hook.keys) - len(firsts) <= lives, "only what was on its way at a kill comes twice"
