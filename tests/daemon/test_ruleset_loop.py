"""One ruleset at work."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest import mock

from selfheal.clock import ManualClock
from tests.daemon.ruleset_bench import RulesetBench
from tests.rules.build import rule

LATE = rule("late", "event.x == 1", once_after="5 seconds", by=["event.x"])
DOWN = rule("down", "event.down is defined")


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


async def test_what_is_matched_and_fires_costs_no_sync(tmp_path: Path) -> None:
    """Only taking an event in waits for the disk: what follows from it is worked out again."""
    levels: list[int] = []
    with RulesetBench((LATE, DOWN), ManualClock(), tmp_path / "record.db") as bench:
        await bench.event(down="web1")
        await bench.event(up="web1")
        db = bench.record._db
        run = db.execute

        def watched(sql: str, values: Any = ()) -> Any:
            if sql == "COMMIT":
                levels.append(db.raw.execute("PRAGMA synchronous").fetchone()[0])
            return run(sql, values)

        with mock.patch.object(db, "execute", watched):
            await bench.work()
            await bench.loop.assert_fact({"x": 1})
            bench.loop._turns.flush()
        assert bench.fired == [("down", ({"down": "web1"},))]
        assert set(levels) == {1}  # NORMAL
