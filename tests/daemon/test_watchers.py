"""What is looked at beside the healings."""

from __future__ import annotations

from dataclasses import replace

from selfheal.clock import ManualClock
from selfheal.config import Rails
from selfheal.daemon.watchers import REMIND_SECONDS, Watchers
from selfheal.model import Storm
from selfheal.ports import JSON
from selfheal.recovery.executors import MemoryRunner
from selfheal.store import open_record


class Told:
    """A notifier that keeps what it was told."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    async def notify(self, subject: str, body: str, data: JSON) -> None:
        self.bodies.append(body)


async def test_people_are_told_again_of_a_storm_that_holds() -> None:
    """Every hour, with the verb that ends it; of one that is over no more."""
    clock, told = ManualClock(1000.0), Told()
    record = open_record(":memory:", clock)
    watchers = Watchers(
        record, Rails, MemoryRunner(), told, lambda *_: None, clock, changed=lambda: None
    )
    storm = Storm("sm-1", "", (), began_at=1000.0)
    record.put_storm(storm)
    await watchers._remind()
    assert told.bodies == []
    for hour in (1, 2):
        await clock.advance(REMIND_SECONDS)
        await watchers._remind()
        await watchers._remind()
        assert len(told.bodies) == hour
    assert "selfheal storm end sm-1 --why" in told.bodies[-1]
    record.put_storm(replace(storm, ended_at=clock.now(), ended_by="ann"))
    await clock.advance(REMIND_SECONDS)
    await watchers._remind()
    assert len(told.bodies) == 2
    record.close()
