"""Crashes at random moments change nothing of what fires: each firing once, in the same order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.clock import ManualClock
from selfheal.model import Rule
from tests.daemon.ruleset_bench import Fired, RulesetBench
from tests.rules.build import rule

RULES = (
    rule("one", "event.a == 1"),
    rule("pair", "event.a == 1", "event.b == 1"),
    rule("tied", "events.x << event.a is defined", "event.b == events.x.a", timeout="5 seconds"),
    rule("some", "event.a == 1", "event.b == 2", how="any"),
    rule("half", "event.a == 1", "event.b == 1", how="not_all", timeout="5 seconds"),
    rule("none", "event.c is not defined"),
    rule("within", "event.a is defined", once_within="5 seconds", by=["event.a"]),
    rule("after", "event.b is defined", once_after="5 seconds", by=["event.b"]),
    rule("many", "event.a is defined", accumulate_within="10 seconds", by=["event.a"], threshold=2),
)
Act = Callable[[RulesetBench], Awaitable[None]]


def put(body: dict[str, int]) -> Act:
    async def act(bench: RulesetBench) -> None:
        await bench.event(**body)

    return act


def fact(body: dict[str, int]) -> Act:
    async def act(bench: RulesetBench) -> None:
        await bench.loop.assert_fact(body)

    return act


def retract(body: dict[str, int]) -> Act:
    async def act(bench: RulesetBench) -> None:
        await bench.loop.retract_fact(body)

    return act


async def work(bench: RulesetBench) -> None:
    await bench.work()


async def crash(bench: RulesetBench) -> None:
    bench.crash()


async def stop(bench: RulesetBench) -> None:
    bench.stop()


bodies = st.dictionaries(st.sampled_from("abc"), st.integers(1, 2), min_size=1, max_size=2)
acts = st.one_of(
    bodies.map(put),
    bodies.map(put),
    st.just(work),
    bodies.map(fact),
    bodies.map(retract),
    st.sampled_from([0.3, 1.7, 5.0, 11.0]),
)
lives = st.tuples(st.lists(acts, max_size=8), st.sampled_from([crash, crash, stop]))
"""What one engine sees, and how it ends."""


async def live(
    rules: Sequence[Rule], script: Sequence[tuple[list[Any], Act]], options: Any, *, mortal: bool
) -> list[Fired]:
    """Return what fires; engines that are not mortal only rest while another is down."""
    with RulesetBench(rules, ManualClock(1000.0), **options) as bench:
        for acts, end in script:
            for act in acts:
                if isinstance(act, float):
                    await bench.clock.advance(act)
                else:
                    await act(bench)
            if mortal:
                await end(bench)
                await bench.clock.advance(2.0)
                bench.start()
            else:
                await bench.work()
                await bench.clock.advance(2.0)
            # Whatever acts next was caused by something that is on record after what is left.
            await bench.work()
        await bench.work()
        counts = bench.record.journal_counts()
        bench.stop()
        assert bench.record.journal_counts().unmatched == 0
        assert counts.firings_pending == len(bench.fired)
        return bench.fired


@given(
    st.lists(st.sampled_from(RULES), min_size=1, max_size=4, unique_by=lambda one: one.name),
    st.lists(lives, min_size=1, max_size=4),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_a_crash_changes_nothing_of_what_fires(
    rules: list[Rule], script: list[tuple[list[Any], Act]], multiple: bool
) -> None:
    """Whatever the rules, and whenever engines die or stop: the firings are those of one that
    lives on, each handed to the actions once, in the same order."""
    options = {"match_multiple_rules": multiple}
    steady = asyncio.run(live(rules, script, options, mortal=False))
    assert asyncio.run(live(rules, script, options, mortal=True)) == steady
