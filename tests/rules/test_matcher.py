"""Rules at work: consumption, facts, absence, throttles, windows, time to live."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from selfheal.errors import ConditionError
from selfheal.rules import memory, throttle
from tests.rules.build import Bench, rule

A, B = "event.a == 1", "event.b == 1"


def test_the_first_rule_takes_the_event() -> None:
    """Rules are asked in their order; only the first that matches fires."""
    bench = Bench(rule("late", "event.i > 0"), rule("never", "event.i == 1"))
    assert bench.event(i=1) == [("late", {"m": {"i": 1}})]


def test_match_multiple_rules_fires_all_in_order() -> None:
    """With `match_multiple_rules` every rule that matches fires, in order."""
    bench = Bench(rule("r1", "event.i > 0"), rule("r2", "event.i == 1"), match_multiple_rules=True)
    assert [name for name, _ in bench.event(i=1)] == ["r1", "r2"]


def test_a_disabled_rule_never_fires() -> None:
    """A rule that is not enabled is not there."""
    bench = Bench(replace(rule("off", "event.i == 1"), enabled=False), rule("on", "event.i == 1"))
    assert [name for name, _ in bench.event(i=1)] == ["on"]


def test_a_fact_fires_all_rules_and_stays() -> None:
    """A fact is not consumed: every rule fires, and it joins with each later event."""
    bench = Bench(rule("r1", "fact.x == 1"), rule("r2", "fact.x == 1", "event.i == 1"))
    assert bench.fact(x=1) == [("r1", {"m": {"x": 1}})]
    for _ in range(2):
        assert bench.event(i=1) == [("r2", {"m_0": {"x": 1}, "m_1": {"i": 1}})]
    assert bench.matcher.facts() == [{"x": 1}]


def test_retracting_in_full_and_in_part() -> None:
    """In full a fact must equal but for its meta; in part it must contain what is retracted."""
    bench = Bench(rule("r", "fact.a == 1", "event.i == 1"))
    bench.fact(a=1, b=2, meta={"by": "engine"})
    bench.retract(a=1)
    assert bench.event(i=1)
    bench.retract(a=1, b=2)
    assert not bench.event(i=1)
    bench.fact(a=1, b=2)
    bench.retract(a=1, partial=True)
    assert not bench.event(i=1)
    assert bench.matcher.facts() == []


def test_absence_fires_at_the_start_and_when_the_last_goes() -> None:
    """`fact.x is not defined` fires once at the start and again, with the fact, at its end."""
    bench = Bench(rule("r", "fact.x is not defined"))
    assert bench.event(i=1) == [("r", {})]
    assert bench.event(i=2) == []
    assert bench.fact(x=1) == []
    assert bench.retract(x=1) == [("r", {"m": {"x": 1}})]
    assert bench.event(i=3) == []


def test_any_fires_once_under_the_name_of_the_first_that_holds() -> None:
    """An event that satisfies several of `any` fires the rule once."""
    bench = Bench(rule("r", A, "events.x << event.b == 1", how="any"))
    assert bench.event(a=1, b=1) == [("r", {"m_0": {"a": 1, "b": 1}})]
    assert bench.event(b=1) == [("r", {"x": {"b": 1}})]


def test_an_event_does_not_pair_with_itself() -> None:
    """One event that satisfies both conditions fires nothing, and is used up."""
    bench = Bench(rule("r", A, B))
    assert bench.event(a=1, b=1) == []
    assert bench.event(b=1) == []


async def test_unmatched_halves_expire() -> None:
    """A half-matched event is forgotten after `default_events_ttl`, exactly then."""
    bench = Bench(rule("r", A, B), default_events_ttl=2.0)
    bench.event(a=1)
    assert bench.matcher.due() == pytest.approx(bench.clock.monotonic() + 2.0)
    await bench.wait(1.999)
    assert bench.event(b=1)
    bench.event(a=1)
    await bench.wait(2)
    assert not bench.event(b=1)


async def test_all_with_a_timeout_needs_its_events_close_together() -> None:
    """The timeout lies between the first and the last event, in any order, bounds included."""
    for wait, fires in ((10, True), (10.001, False)):
        bench = Bench(rule("r", A, B, timeout="10 seconds"))
        bench.event(b=1)
        await bench.wait(wait)
        assert bool(bench.event(a=1)) is fires


async def test_not_all_fires_when_something_is_missing() -> None:
    """`not_all` fires at the end of the window unless all came."""
    bench = Bench(rule("r", A, B, how="not_all", timeout="10 seconds"))
    bench.event(a=1)
    assert bench.matcher.due() == pytest.approx(bench.clock.monotonic() + 10.0)
    assert await bench.wait(9.999) == []
    assert await bench.wait(0.001) == [("r", {"m_0": {"a": 1}})]
    bench.event(b=1)
    await bench.wait(5)
    bench.event(a=1)
    assert await bench.wait(11) == []


async def test_an_event_that_found_its_place_taken_starts_the_next_window() -> None:
    """What comes while its place in `not_all` is taken waits for the next window."""
    bench = Bench(rule("r", A, B, how="not_all", timeout="10 seconds"))
    bench.event(a=1, n=1)
    await bench.wait(5)
    bench.event(a=1, n=2)
    assert await bench.wait(5) == [("r", {"m_0": {"a": 1, "n": 1}})]
    assert await bench.wait(10) == [("r", {"m_0": {"a": 1, "n": 2}})]


async def test_once_within_fires_first_then_holds_still() -> None:
    """`once_within` fires at the first of a group; the window is not extended."""
    bench = Bench(rule("r", "event.k > 0", once_within="10 seconds", by=["event.h"]))
    note = {"rule_engine": {"once_within_time_window": "10 SECONDS"}}
    assert bench.event(k=1, h="A") == [("r", {"m": {"k": 1, "h": "A", "meta": note}})]
    await bench.wait(6)
    assert bench.event(k=1, h="A") == []
    assert bench.event(k=1, h="B")
    await bench.wait(4)
    assert bench.event(k=1, h="A")


async def test_once_after_fires_once_for_all_groups() -> None:
    """`once_after` fires when the window has passed, with the first event of each group."""
    bench = Bench(rule("r", "event.k > 0", once_after="10 seconds", by=["event.h"]))
    bench.event(k=1, h="A", n=1)
    bench.event(k=1, h="B")
    bench.event(k=1, h="A", n=2)
    [(name, matches)] = await bench.wait(10)
    assert name == "r"
    assert [(m["h"], m["meta"]["rule_engine"]["events_in_window"]) for m in matches.values()] == [
        ("B", 1),
        ("A", 2),
    ]
    assert matches["m_1"]["n"] == 1
    assert await bench.wait(10) == []


async def test_accumulate_within_fires_at_the_threshold_and_counts_anew() -> None:
    """`accumulate_within` fires at each third event of a group within one window."""
    throttled: dict[str, Any] = {
        "accumulate_within": "10 seconds",
        "threshold": 3,
        "by": ["event.h"],
    }
    bench = Bench(rule("r", "event.k == 1", **throttled))
    fired = [bool(bench.event(k=1, h="A")) for _ in range(6)]
    assert fired == [False, False, True, False, False, True]
    bench.event(k=1, h="A")
    bench.event(k=1, h="A")
    await bench.wait(10)
    assert bench.event(k=1, h="A") == []


def test_a_throttled_rule_takes_what_it_matches() -> None:
    """Rules after a throttled one don't see its events, fired or held back."""
    held = rule("held", "event.k > 0", once_within="10 seconds", by=["event.h"])
    bench = Bench(held, rule("next", "event.k > 0"), match_multiple_rules=True)
    assert [name for name, _ in bench.event(k=1, h=1)] == ["held"]
    assert bench.event(k=1, h=1) == []


def test_groups_are_typed() -> None:
    """1, 1.0, "1" and true are groups of their own; a missing attribute makes no group."""
    bench = Bench(rule("r", "event.k > 0", once_within="10 seconds", by=["event.h"]))
    for value in (1, 1.0, "1", True, None, [1], {"x": 1}):
        assert bench.event(k=1, h=value)
        assert not bench.event(k=1, h=value)
    assert bench.event(k=1)
    assert bench.event(k=1)


def test_the_senders_event_is_not_touched() -> None:
    """The note of a throttle goes into a copy."""
    bench = Bench(rule("r", "event.k > 0", once_within="10 seconds", by=["event.h"]))
    body: dict[str, Any] = {"k": 1, "h": 1, "meta": {"source": "s"}}
    [(_, matches)] = bench.event(**body)
    assert matches["m"]["meta"]["source"] == "s"
    assert body == {"k": 1, "h": 1, "meta": {"source": "s"}}


def test_firings_name_their_events_of_the_journal() -> None:
    """`event_ids` holds the ids of the matched events, none for facts."""
    bench = Bench(rule("r", "fact.f == 1", A, B))
    bench.fact(f=1)
    bench.matcher.event({"a": 1}, "ev-1")
    [firing] = bench.matcher.event({"b": 1}, "ev-2")
    assert firing.event_ids == ("ev-1", "ev-2")
    assert firing.ruleset == "test"
    assert firing.at == bench.clock.now()


async def test_an_overdue_timer_runs_before_the_event_that_comes_after_it() -> None:
    """A late tick loses nothing: the event first lets the timer fire."""
    waiting = rule("late", "event.k > 0", once_after="10 seconds", by=["event.h"])
    bench = Bench(waiting, rule("now", "event.i == 1"))
    bench.event(k=1, h=1)
    await bench.clock.advance(11)
    assert [name for name, _ in bench.event(i=1)] == ["late", "now"]


def test_what_throttles_cannot_stand_beside_is_refused() -> None:
    """A throttle beside several conditions, or `not_all` without a timeout, is an error."""
    for wrong in (
        rule("r", A, B, once_within="1 second", by=["event.h"]),
        rule("r", "event.x is not defined", once_within="1 second", by=["event.h"]),
        rule("r", A, once_within="1 second", by=["event..h"]),
        rule("r", A, B, how="not_all"),
    ):
        with pytest.raises(ConditionError):
            Bench(wrong)


def test_memory_is_bounded_and_what_is_dropped_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond the limits the oldest goes: half-matched events, facts, and groups of a throttle."""
    monkeypatch.setattr(memory, "MAX_MESSAGES", 10)
    monkeypatch.setattr(throttle, "MAX_GROUPS", 10)
    held = rule("held", "event.k > 0", once_within="10 seconds", by=["event.h"])
    bench = Bench(rule("pair", A, B), held)
    for number in range(15):
        bench.event(a=1, n=number)
        bench.event(k=1, h=number)
        bench.fact(f=number)
    assert bench.matcher.dropped == {"messages": 10, "groups": 5, "combinations": 0}
    assert [fact["f"] for fact in bench.matcher.facts()] == list(range(5, 15))
    assert len(bench.event(b=1)) == 10


def test_events_that_match_nothing_are_not_kept() -> None:
    """An event no rule could use leaves nothing behind."""
    bench = Bench(rule("r", A, B))
    for _ in range(1000):
        bench.event(x=1)
    assert bench.matcher.due() is None


def test_a_condition_that_speaks_of_another_match_keeps_only_events_with_its_field() -> None:
    """Events that lack the compared field are no halves: they are neither kept nor tried."""
    bench = Bench(rule("r", A, "event.c > events.m_0.z"))
    bench.event(x=1)
    assert bench.matcher.due() is None
    bench.event(a=1, z=5)
    assert bench.event(c=9) == [("r", {"m_0": {"a": 1, "z": 5}, "m_1": {"c": 9}})]
