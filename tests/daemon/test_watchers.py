"""What is looked at beside the healings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from selfheal.clock import ManualClock
from selfheal.config import Rails
from selfheal.daemon.watchers import REMIND_SECONDS, Watchers
from selfheal.model import (
    Attempt,
    Autonomy,
    Fault,
    Healing,
    HealingState,
    Outcome,
    Risk,
    Rule,
    Ruleset,
    Severity,
    Solution,
    Storm,
    Strategy,
    new_id,
)
from selfheal.notification import FanoutNotifier, MemoryNotifier
from selfheal.recovery.executors import MemoryRunner
from selfheal.store import SqliteRecord, open_record

HOSTS = tuple(f"web{number}" for number in range(6))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1000.0)


@pytest.fixture
def record(clock: ManualClock) -> Iterator[SqliteRecord]:
    opened = open_record(":memory:", clock)
    yield opened
    opened.close()


def watching(record: SqliteRecord, clock: ManualClock, notifier: Any) -> Watchers:
    """Watchers of six hosts, with the default rails."""
    runner = MemoryRunner(known_hosts=HOSTS)
    return Watchers(record, Rails, runner, notifier, lambda *_: None, clock, lambda: None)


def fault(record: SqliteRecord, host: str, now: float) -> Fault:
    """Open a fault of the rule `down`."""
    opened, _ = record.open_fault(
        Fault(
            id=new_id("ft"),
            fingerprint=f"{host} {now}",
            type="connection_failure",
            severity=Severity.CRITICAL,
            component="backend",
            target=host,
            message="down",
            starts_at=now,
            last_seen=now,
            ruleset="web",
            rule="down",
        )
    )
    return opened


def failed_healing(record: SqliteRecord, host: str, now: float) -> Healing:
    """A healing of the rule `down` that failed."""
    found = fault(record, host, now)
    healing = Healing(
        id=new_id("he"),
        incident_id=found.incident_id,
        fault_id=found.id,
        resource=host,
        state=HealingState.QUEUED,
        ladder=(Solution("restart", "*", Strategy.QUICK_FIX, Risk.LOW, ()),),
        context={},
        created_at=now,
    )
    record.add_healing(healing)
    record.start_healing(healing.id, now)
    attempt = Attempt(new_id("at"), healing.id, 0, "restart", now)
    record.add_attempt(attempt)
    record.end_attempt(attempt.id, Outcome.FAILED, now)
    record.end_healing(healing.id, Outcome.FAILED, "", now)
    return healing


class Killed(BaseException):
    """The engine dies here: what its transaction wrote is gone, as after `kill -9`."""


def dies_in(monkeypatch: pytest.MonkeyPatch, record: SqliteRecord, method: str) -> None:
    """Let the engine die when it calls that method of the record."""

    def dies(*args: object, **given: object) -> None:
        raise Killed

    monkeypatch.setattr(record, method, dies)


@pytest.mark.parametrize("where", ["put_storm", "tell", "add_notification"])
async def test_a_storm_is_on_record_with_its_message_or_not_at_all(
    record: SqliteRecord, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Wherever the engine dies, the next one finds neither, and makes both."""
    notifier = FanoutNotifier(record, {}, clock)
    watchers = watching(record, clock, notifier)
    for host in HOSTS:
        fault(record, host, clock.now())
    with monkeypatch.context() as patch:
        dies_in(patch, record, where)
        with pytest.raises(Killed):
            await watchers._look()
    assert record.storms(0) == []
    await watching(record, clock, notifier)._look()
    assert len(record.storms(0)) == 1
    assert [one.text for one in record.entries() if "human needed: storm" in one.text]


@pytest.mark.parametrize("where", ["change_autonomy", "tell", "add_notification"])
async def test_a_demotion_is_on_record_with_its_message_or_not_at_all(
    record: SqliteRecord, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Wherever the engine dies, the next one demotes the rule as it starts, and tells a human."""
    notifier = FanoutNotifier(record, {}, clock)
    *_, last = [failed_healing(record, host, clock.now()) for host in HOSTS[:3]]
    with monkeypatch.context() as patch:
        dies_in(patch, record, where)
        with pytest.raises(Killed):
            await watching(record, clock, notifier).healing_ended(last)
    assert record.autonomy("web", "down") is None
    rule = Rule("down", None, ())  # type: ignore[arg-type]  # nobody asks for its condition
    watching(record, clock, notifier).rulebooks_loaded([Ruleset("web", (), (), (rule,))])
    change = record.autonomy("web", "down")
    assert change
    assert change.level is Autonomy.APPROVE
    assert [one.text for one in record.entries() if "human needed: rule “down”" in one.text]


async def test_people_are_told_again_of_a_storm_that_holds(
    record: SqliteRecord, clock: ManualClock
) -> None:
    """Every hour, with the verb that ends it; of one that is over no more."""
    told = MemoryNotifier()
    watchers = watching(record, clock, told)
    storm = Storm("sm-1", "", (), began_at=1000.0)
    record.put_storm(storm)
    watchers._remind()
    assert told.sent == []
    for hour in (1, 2):
        await clock.advance(REMIND_SECONDS)
        watchers._remind()
        watchers._remind()
        assert len(told.sent) == hour
    assert "selfheal storm end sm-1 --why" in told.sent[-1][1]
    record.put_storm(replace(storm, ended_at=clock.now(), ended_by="ann"))
    await clock.advance(REMIND_SECONDS)
    watchers._remind()
    assert len(told.sent) == 2
