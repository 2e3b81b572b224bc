"""One ruleset at work."""

from __future__ import annotations

import asyncio

from selfheal.clock import ManualClock
from selfheal.daemon.journal_queue import GroupCommit, JournalQueue
from selfheal.daemon.ruleset_loop import RulesetLoop
from selfheal.model import Firing, Ruleset
from selfheal.ports import JSON
from selfheal.store import open_record


class FiresLater:
    """A matcher whose only rule fires 5 s after a fact: just enough to watch the loop's alarm."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._due: float | None = None

    def event(self, body: JSON, event_id: str = "") -> list[Firing]:
        return []

    def assert_fact(self, fact: JSON) -> list[Firing]:
        self._due = self._clock.monotonic() + 5
        return []

    def retract_fact(self, fact: JSON, *, partial: bool) -> list[Firing]:
        return []

    def facts(self) -> list[JSON]:
        return []

    def due(self) -> float | None:
        return self._due

    def tick(self) -> list[Firing]:
        if self._due is None or self._clock.monotonic() < self._due:
            return []
        self._due = None
        return [Firing("r", "late", {"m": {}}, self._clock.now())]

    def close(self) -> None:
        pass


async def test_a_timer_that_a_fact_sets_rings_though_no_event_comes() -> None:
    """A fact asserted while the loop rests changes when it wakes."""
    clock, record, fired = ManualClock(), open_record(":memory:"), asyncio.Event()

    async def act(firing: Firing) -> None:
        fired.set()

    queue = JournalQueue("r", GroupCommit(record), clock, 10)
    ruleset = Ruleset(name="r", hosts=("all",), sources=(), rules=())
    loop = RulesetLoop(ruleset, FiresLater(clock), queue, act, record, clock)
    running = asyncio.create_task(loop.run())
    await clock.advance(1)
    await loop.assert_fact({"x": 1})
    await clock.advance(4.9)
    early = fired.is_set()
    await clock.advance(0.2)
    running.cancel()
    await asyncio.wait([running])
    record.close()
    assert (early, fired.is_set()) == (False, True)
