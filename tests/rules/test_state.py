"""What a matcher remembers, as JSON and back: a matcher that takes it up goes on as the old one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.model import Rule, Ruleset
from selfheal.rules import build_matcher, rules_digest
from selfheal.rules.join_durable import DurableJoin
from tests.rules.build import Bench, needs_durable, rule

PAIR = rule("pair", "events.x << event.a is defined", "event.b == events.x.a")
RULES = (
    PAIR,
    rule("in time", "event.a == 1", "event.b == 1", timeout="5 seconds"),
    rule("three", "event.a == 1", "event.b == 1", "event.c == 1"),
    rule("half", "event.a == 1", "event.b == 1", how="not_all", timeout="5 seconds"),
    rule("none", "event.c is not defined"),
    rule("within", "event.a is defined", once_within="5 seconds", by=["event.a"]),
    rule("after", "event.b is defined", once_after="5 seconds", by=["event.b"]),
    rule("many", "event.a is defined", accumulate_within="9 seconds", by=["event.a"], threshold=2),
)
Fired = list[tuple[str, dict[str, Any]]]


def renewed(bench: Bench) -> None:
    """Put a new matcher in the place of the bench's, with what the old one remembers."""
    state, event_ids = bench.matcher.state()
    assert not event_ids, "these messages are in no journal, so their bodies are in the state"
    new = build_matcher(
        bench.matcher._ruleset,
        {},
        bench.clock,
        "durable" if isinstance(bench.matcher._engine, DurableJoin) else "python",
    )
    bench.matcher.close()
    bench.matcher = new
    new.restore(json.loads(json.dumps(state)), {})


def sent(bench: Bench, what: Any) -> Fired:
    if isinstance(what, float):
        return asyncio.run(bench.wait(what))
    kind, body = what
    return {"event": bench.event, "fact": bench.fact, "retract": bench.retract}[kind](**body)


bodies = st.dictionaries(st.sampled_from("abc"), st.integers(1, 2), min_size=1, max_size=2)
kinds = st.sampled_from(["event", "event", "event", "fact", "retract"])
sends = st.one_of(st.tuples(kinds, bodies), st.sampled_from([0.3, 1.7, 5.0, 11.0]))


def compare(rules: Sequence[Rule], script: Sequence[Any], engine: str, **options: Any) -> None:
    steady, broken = (Bench(*rules, engine=engine, **options) for _ in range(2))
    try:
        for what, renew in script:
            assert sent(broken, what) == sent(steady, what)
            if renew:
                renewed(broken)
        assert broken.matcher.state()[0]["messages"] == steady.matcher.state()[0]["messages"]
        assert broken.matcher.size == steady.matcher.size
    finally:
        steady.matcher.close()
        broken.matcher.close()


some_rules = st.lists(st.sampled_from(RULES), min_size=1, max_size=4, unique_by=lambda r: r.name)


@given(some_rules, st.lists(st.tuples(sends, st.booleans()), max_size=20), st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_renewed_matcher_fires_the_same(
    rules: list[Rule], script: list[Any], multiple: bool
) -> None:
    """Any rules, any messages, renewed at any moments: every step fires what it would have."""
    compare(rules, script, "python", match_multiple_rules=multiple)


@given(st.lists(st.tuples(st.tuples(st.just("event"), bodies), st.booleans()), max_size=8))
@settings(max_examples=15, deadline=None)
def test_so_it_does_on_durable_rules(script: list[Any]) -> None:
    """The other join engine is given the tokens that live, and reports nothing twice."""
    needs_durable()
    compare(RULES[:3], script, "durable")


@pytest.mark.parametrize(
    ("one", "before", "after", "fires"),
    [
        (PAIR, [{"a": 7}], [{"b": 7}], ["pair"]),
        (RULES[3], [{"a": 1}], [5.1], ["half"]),
        (RULES[5], [{"a": 1}], [{"a": 1}, 5.0, {"a": 1}], ["within"]),
        (RULES[6], [{"b": 1}, {"b": 1}], [5.1], ["after"]),
        (RULES[7], [{"a": 1}], [{"a": 1}], ["many"]),
    ],
)
def test_each_kind_of_rule_goes_on(
    one: Rule, before: list[Any], after: list[Any], fires: list[str]
) -> None:
    """Half a condition, and a window in its middle, are as good as never interrupted."""
    bench = Bench(one)
    for body in before:
        bench.event(**body)
    renewed(bench)
    fired = [sent(bench, what if isinstance(what, float) else ("event", what)) for what in after]
    assert [name for each in fired for name, _ in each] == fires


def test_a_rule_about_absence_does_not_fire_again() -> None:
    """It has fired when nothing was there; after a restart nothing new is gone."""
    bench = Bench(rule("none", "event.c is not defined"))
    assert [name for name, _ in asyncio.run(bench.wait(0))] == ["none"]
    renewed(bench)
    assert asyncio.run(bench.wait(1)) == []


def test_bodies_stay_in_the_journal() -> None:
    """A state refers to events and facts by id, and does not fit without them."""
    bench = Bench(PAIR)
    bench.matcher.event({"a": 7, "large": "x" * 10_000}, "ev-1")
    bench.matcher.assert_fact({"a": 8}, "ev-2")
    state, event_ids = bench.matcher.state()
    assert sorted(event_ids) == ["ev-1", "ev-2"]
    assert len(json.dumps(state)) < 1000
    other = Bench(PAIR)
    other.matcher.restore(state, {"ev-1": {"a": 7}, "ev-2": {"a": 8}})
    (firing,) = other.matcher.event({"b": 7}, "ev-3")
    assert firing.event_ids == ("ev-1", "ev-3")
    assert {alias: each.event_id for alias, each in firing.sources.items()} == {
        "x": "ev-1",
        "m_1": "ev-3",
    }
    with pytest.raises(KeyError):
        Bench(PAIR).matcher.restore(state, {})


def test_what_the_state_depends_on() -> None:
    """Conditions, their variables and windows count; actions, hosts and other variables don't."""

    def digest(*rules: Rule, hosts: tuple[str, ...] = ("all",), **variables: Any) -> str:
        return rules_digest(Ruleset("r", hosts, (), rules), variables)

    limit = rule("limit", "event.a > vars.limit")
    same = digest(limit, limit=1, other=1)
    assert digest(limit, hosts=("web",), limit=1, other=2) == same
    assert digest(limit, limit=2) != same
    assert digest(rule("limit", "event.a >= vars.limit"), limit=1) != same
    assert digest(limit, PAIR, limit=1) != same
    assert digest(RULES[5]) != digest(
        rule("within", "event.a is defined", once_within="6 seconds", by=["event.a"])
    )
