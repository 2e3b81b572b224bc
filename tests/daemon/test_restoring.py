"""At start: what the record says was matched, fired and left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from selfheal.clock import ManualClock
from selfheal.errors import StoreError
from selfheal.model import FiringState, InputKind, Kind
from tests.daemon.ruleset_bench import RulesetBench
from tests.rules.build import rule

PAIR = rule("pair", "event.a == 1", "event.b == 1")
ONE = rule("one", "event.a is defined")
WITHIN = rule("within", "event.a is defined", once_within="60 seconds", by=["event.a"])
AFTER = rule("after", "event.a is defined", once_after="60 seconds", by=["event.a"])


def names(bench: RulesetBench) -> list[str]:
    return [name for name, _ in bench.fired]


async def test_edited_rules_begin_anew_and_say_so() -> None:
    """Half a condition of other rules is gone, with a note; what was not matched is matched."""
    with RulesetBench((PAIR,), ManualClock()) as bench:
        await bench.event(a=1)
        await bench.work()
        bench.stop()
        assert bench.start() == ""
        await bench.event(b=1)  # accepted by the engine before the edit, matched by the one after
        bench.crash()
        other = rule("other", "event.b == 1")
        assert "its rules were changed" in bench.start((PAIR, other))
        await bench.work()
        assert names(bench) == ["other"]


async def test_a_state_that_cannot_be_read_is_left_behind() -> None:
    """The engine starts all the same, without it, and says so."""
    with RulesetBench((PAIR,), ManualClock()) as bench:
        await bench.event(a=1)
        await bench.work()
        bench.stop()
        bench.record.db.execute("UPDATE matchers SET state = '{\"watchers\": [3]}'")
        assert "can't be read" in bench.start()
        await bench.event(a=1)
        await bench.event(b=1)
        await bench.work()
        assert names(bench) == ["pair"]


async def test_an_event_the_engine_dies_of_is_left_out_in_the_end() -> None:
    """It is tried a few times, alone, then left out; the others are matched, once."""
    with RulesetBench((ONE,), ManualClock()) as bench:
        for n in range(3):
            await bench.event(a=n)
        deaths = 0
        for _ in range(10):
            bench.crash()
            bench.start()
            show = bench.loop._timed.show

            def dies(event: Any, show: Any = show) -> Any:
                if event.body == {"a": 1}:
                    raise KeyboardInterrupt  # as good as a kill: nothing in between sees it
                return show(event)

            with mock.patch.object(bench.loop._timed, "show", dies):
                try:
                    await bench.work()
                    break
                except KeyboardInterrupt:
                    deaths += 1
        assert deaths == 4
        assert [matches[0]["a"] for _, matches in bench.fired] == [0, 2]
        assert len(bench.given_up) == 1
        assert any("left out" in one.text for one in bench.record.entries())
        assert bench.record.journal_counts().unmatched == 0


async def test_an_event_that_breaks_the_matcher_stops_nothing() -> None:
    """It is on record as not matched, with a note, and the next one fires."""
    with RulesetBench((ONE,), ManualClock()) as bench:
        await bench.event(a=1)
        with mock.patch.object(bench.loop._matcher, "event", side_effect=RuntimeError("broken")):
            await bench.work()
        await bench.event(a=2)
        await bench.work()
        bench.stop()
        assert [matches[0]["a"] for _, matches in bench.fired] == [2]
        notes = bench.record.db.execute("SELECT note FROM events ORDER BY seq").fetchall()
        assert [bool(note) for (note,) in notes] == [True, False]


async def test_nothing_is_acted_on_that_is_not_on_record() -> None:
    """A firing the record refuses ends the ruleset; the next engine fires it, once."""
    with RulesetBench((ONE,), ManualClock()) as bench:
        await bench.event(a=1)
        refuses = mock.patch.object(bench.record, "add_firing", side_effect=StoreError("full"))
        with refuses, pytest.raises(StoreError):
            await bench.work()
        with pytest.raises(StoreError):
            await bench.loop.assert_fact({"a": 2})
        assert bench.fired == []
        bench.loop.end()
        bench.start()
        await bench.work()
        assert names(bench) == ["one"]


async def test_a_state_that_cannot_be_saved_takes_no_marks_with_it() -> None:
    """What was matched before it is on record as matched: no later state counts it twice."""
    with RulesetBench((PAIR,), ManualClock()) as bench:
        await bench.event(a=1)
        await bench.work()
        refuses = mock.patch.object(bench.loop._memory, "save", side_effect=StoreError("full"))
        with refuses, pytest.raises(StoreError):
            bench.loop._save()
        assert bench.record.journal_counts().unmatched == 0


@pytest.mark.parametrize(("jump", "again"), [(-3600.0, False), (3600.0, True)])
async def test_a_wall_clock_that_jumps_while_no_engine_runs(jump: float, again: bool) -> None:
    """Time is never taken back; a clock set forward ends windows as if that time had passed."""
    with RulesetBench((WITHIN,), ManualClock()) as bench:
        await bench.event(a=1)
        await bench.work()
        bench.stop()
        bench.clock.jump(jump)
        bench.start()
        await bench.event(a=1)
        await bench.work()
        assert names(bench) == ["within"] * (2 if again else 1)


async def test_a_wall_clock_that_jumps_while_the_engine_runs_changes_no_window() -> None:
    """A window of a minute is a minute, whatever is done to the clock meanwhile."""
    with RulesetBench((AFTER,), ManualClock()) as bench:
        await bench.event(a=1)
        await bench.work()
        for jump in (3600.0, -7200.0):
            bench.clock.jump(jump)
            await bench.work()
        assert names(bench) == []
        await bench.clock.advance(60.5)
        await bench.work()
        assert names(bench) == ["after"]


async def test_a_restart_reads_no_more_than_it_must(tmp_path: Path) -> None:
    """The state is kept every so often: of thousands of matched events few are shown again."""
    with RulesetBench((PAIR,), ManualClock(), tmp_path / "record.db") as bench:
        for _ in range(3):
            for _ in range(1000):
                await bench.event(c=1)
            await bench.work()
        await bench.event(a=1)
        await bench.work()
        await bench.clock.advance(1)
        await bench.work()
        bench.crash()
        with mock.patch("selfheal.daemon.timed_matcher.TimedMatcher.replay") as replay:
            bench.start()
        assert 1 <= replay.call_count <= 1000
        bench.crash()
        bench.start()
        await bench.event(b=1)
        await bench.work()
        assert names(bench) == ["pair"]


async def test_marks_are_written_soon(tmp_path: Path) -> None:
    """What fired nothing is on record as matched within a moment, though nothing else comes."""
    with RulesetBench((PAIR,), ManualClock()) as bench:
        task = asyncio.create_task(bench.loop.run())
        await bench.event(c=1)
        await bench.clock.advance(0.1)
        assert bench.record.journal_counts().unmatched == 1
        await bench.clock.advance(0.2)
        assert bench.record.journal_counts().unmatched == 0
        task.cancel()
        await asyncio.wait([task])


async def test_an_action_that_is_repeated_asserts_once() -> None:
    """A fact or a retraction of one origin is taken in once, over all engines."""
    with RulesetBench((ONE,), ManualClock()) as bench:
        await bench.loop.assert_fact({"a": 1}, "fi-1:0:")
        bench.crash()
        bench.start()
        await bench.loop.assert_fact({"a": 1}, "fi-1:0:")
        await bench.loop.retract_fact({"a": 1}, origin="fi-1:1:")
        await bench.loop.assert_fact({"a": 2})
        await bench.loop.retract_fact({"a": 2}, origin="fi-1:1:")
        assert names(bench) == ["one", "one"]
        assert bench.loop.facts() == [{"a": 2}]


async def test_what_a_restart_needs_may_not_be_deleted() -> None:
    """Events half a condition, an unfinished firing or a replay refers to are not settled."""
    with RulesetBench((PAIR, ONE), ManualClock(), match_multiple_rules=True) as bench:
        await bench.event(c=1)
        await bench.event(a=1)
        await bench.event(b=1, a=2)
        await bench.work()

        def settled() -> list[str]:
            found = bench.record.db.query("SELECT body FROM settled_events ORDER BY seq")
            return [row["body"] for row in found]

        assert settled() == []
        bench.stop()
        assert settled() == ['{"c":1}']
        for left in bench.record.unfinished_firings():
            bench.record.end_firing(left.firing.id, FiringState.DONE, "")
        assert settled() == ['{"c":1}']  # the pair stays in memory: its events may match again


async def test_time_that_fires_is_an_event_of_the_journal() -> None:
    """A timer's firing has its turn like any other, and is told in the timeline."""
    with RulesetBench((AFTER,), ManualClock()) as bench:
        await bench.event(a=1)
        await bench.work()
        await bench.clock.advance(61)
        await bench.work()
        rows = bench.record.db.query("SELECT kind, turn FROM events ORDER BY turn")
        assert [(row["kind"], row["turn"]) for row in rows] == [
            (InputKind.EVENT.value, 1),
            (InputKind.TICK.value, 2),
        ]
        told = [one.text for one in bench.record.entries() if one.kind is Kind.RULE]
        assert told == ["rule “after” of “r” fired"]
