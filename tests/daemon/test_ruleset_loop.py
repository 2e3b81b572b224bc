"""One ruleset at work."""

from __future__ import annotations

import asyncio

from selfheal.clock import ManualClock
from tests.daemon.ruleset_bench import RulesetBench
from tests.rules.build import rule

LATE = rule("late", "event.x == 1", once_after="5 seconds", by=["event.x"])


async def running(bench: RulesetBench) -> asyncio.Task[None]:
    task = asyncio.create_task(bench.loop.run())
    await bench.clock.advance(0)
    return task


async def test_a_timer_that_a_fact_sets_rings_though_no_event_comes() -> None:
    """A fact asserted while the loop rests changes when it wakes."""
    with RulesetBench((LATE,), ManualClock()) as bench:
        task = await running(bench)
        await bench.clock.advance(1)
        await bench.loop.assert_fact({"x": 1})
        await bench.clock.advance(4.9)
        early = list(bench.fired)
        await bench.clock.advance(0.2)
        task.cancel()
        await asyncio.wait([task])
        assert (early, bench.fired) == ([], [("late", ({"x": 1},))])
