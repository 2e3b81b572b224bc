"""Autonomy: what a rule may do, how it loses a level, and when more is proposed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.model import Autonomy, AutonomyChange, Outcome, Refusal, Verdict, new_id
from selfheal.rails import (
    current_level,
    demotion,
    needs_approval,
    new_promotion,
    promotion,
    rewritten,
)
from selfheal.rails.autonomy import wilson_lower_bound

from .conftest import Build
from .world import World

RULE = ("web", "down")


def fail(world: World, times: int = 1, outcome: Outcome = Outcome.ROLLED_BACK) -> None:
    for _ in range(times):
        world.pass_(60)
        world.run("web1", outcome)


def set_(world: World, level: Autonomy, written: Autonomy = Autonomy.AUTO) -> None:
    change = AutonomyChange(new_id("au"), *RULE, level, written, "trust", "ann", world.now)
    world.record.change_autonomy(change)


def judged(world: World, written: Autonomy | None = None) -> AutonomyChange | None:
    return demotion(*RULE, written, world.record, world.config, world.now)


@pytest.mark.parametrize(
    ("level", "reason"),
    [
        (Autonomy.OBSERVE, Refusal.OBSERVE_ONLY),
        (Autonomy.SUGGEST, Refusal.SUGGEST_ONLY),
        (Autonomy.APPROVE, None),
        (Autonomy.AUTO, None),
    ],
)
def test_levels(build: Build, level: Autonomy, reason: Refusal | None) -> None:
    """Observe and suggest stop the healing; approve goes on to ask a human."""
    world = build()
    healing = world.healing()
    refused = world.ask(healing, autonomy=level)
    assert (refused.reason if refused else None) is reason
    assert refused is None or refused.verdict is Verdict.STOP
    request = world.request(healing, autonomy=level)
    asked = needs_approval(request, world.record, world.config)
    assert bool(asked) is (level is Autonomy.APPROVE)


def test_the_default_is_for_rules_that_say_nothing(build: Build) -> None:
    """A whole site can begin by observing."""
    world = build(autonomy={"default": "observe"})
    assert world.ask(world.healing())
    assert world.ask(world.healing("web2"), autonomy=Autonomy.AUTO) is None
    assert world.ask(world.by_hand("web3")) is None, "people decide for themselves"


def edit(world: World, written: Autonomy) -> None:
    """An engine takes up the rulebook with that level."""
    change = rewritten(*RULE, written, world.record, world.config, world.now)
    if change:
        world.record.change_autonomy(change)


def test_an_edit_that_an_engine_takes_up_is_the_later_word(build: Build) -> None:
    """It ends what was set, for good: going back to the first word revives nothing."""
    world = build()
    set_(world, Autonomy.AUTO, written=Autonomy.APPROVE)
    edit(world, Autonomy.APPROVE)
    request = world.request(world.healing(), autonomy=Autonomy.APPROVE)
    assert needs_approval(request, world.record, world.config) == ""
    for written in (Autonomy.OBSERVE, Autonomy.APPROVE):
        edit(world, written)
        change = world.record.autonomy(*RULE)
        assert change
        assert (change.level, change.who) == (written, "")
    assert needs_approval(request, world.record, world.config)


@pytest.mark.parametrize("level", Autonomy, ids=lambda one: one.value)
@pytest.mark.parametrize("written", Autonomy, ids=lambda one: one.value)
def test_until_it_is_taken_up_the_stricter_holds(level: Autonomy, written: Autonomy) -> None:
    """What an operator says binds at once, whatever an edited rulebook on the disk says."""
    other = next(one for one in Autonomy if one is not written)
    change = AutonomyChange("au-1", *RULE, level, other, "stop it", "ann", 1.0)
    assert current_level(change, written).level == min(level.level, written.level)


def test_what_an_operator_sets_holds(build: Build) -> None:
    """After a restart as well; other rules are not touched, and it can be set again."""
    world = build()
    set_(world, Autonomy.SUGGEST)
    healing = world.healing()
    assert world.ask(healing)
    world.restart()
    assert world.ask(healing)
    assert world.ask(world.healing("web2", world.fault("web2", rule="slow"))) is None
    set_(world, Autonomy.AUTO)
    assert world.ask(healing) is None


def test_three_failures_in_a_day_cost_one_level(build: Build) -> None:
    """The change carries its evidence, and the next level takes three further failures."""
    world = build()
    fail(world, 2)
    assert judged(world) is None
    fail(world)
    change = judged(world)
    assert change
    assert (change.level, change.written, change.who) == (Autonomy.APPROVE, Autonomy.AUTO, "")
    assert len(change.evidence["failed"]) == 3
    assert "3 of its last 3" in change.reason
    world.record.change_autonomy(change)
    assert judged(world) is None, "one failure never costs two levels"
    request = world.request(world.healing("web2"))
    assert "3 of its last 3" in needs_approval(request, world.record, world.config)
    fail(world, 3)
    second = judged(world)
    assert second
    assert second.level is Autonomy.SUGGEST


def test_suggest_is_the_lowest_the_engine_goes(build: Build) -> None:
    """What never runs can't fail."""
    world = build()
    fail(world, 5)
    assert judged(world, Autonomy.SUGGEST) is None
    assert judged(world, Autonomy.OBSERVE) is None


def test_failures_of_the_day_before_do_not_count(build: Build) -> None:
    """Only those within the time, and not what proves nothing."""
    world = build()
    fail(world, 2)
    world.pass_(86400)
    fail(world, 1)
    fail(world, 5, Outcome.UNKNOWN)
    fail(world, 5, Outcome.HEALED)
    assert judged(world) is None


def test_demotion_can_be_switched_off(build: Build) -> None:
    """Then an operator watches over it."""
    world = build(autonomy={"demote": False})
    fail(world, 5)
    assert judged(world) is None


def test_more_is_proposed_once_on_evidence(build: Build) -> None:
    """When the newest approved healing makes it certain enough a human is told, and only then."""
    world = build(autonomy={"propose": {"healings": 10, "lower_bound": 0.7}})
    proposals = []
    for _ in range(14):
        world.pass_(60)
        world.run("web1")
        new = new_promotion(*RULE, Autonomy.APPROVE, world.record, world.config)
        proposals.append(new is not None)
    assert proposals == [False] * 9 + [True] + [False] * 4
    standing = promotion(*RULE, Autonomy.APPROVE, world.record, world.config)
    assert standing
    assert (standing.level, standing.healings, standing.healed) == (Autonomy.AUTO, 14, 14)
    assert promotion(*RULE, Autonomy.AUTO, world.record, world.config) is None
    assert promotion(*RULE, Autonomy.SUGGEST, world.record, world.config) is None


def test_a_few_failures_are_too_many_for_a_proposal(build: Build) -> None:
    """Nine of ten are not surely more than seven in ten."""
    world = build(autonomy={"propose": {"healings": 10, "lower_bound": 0.7}})
    fail(world)
    fail(world, 9, Outcome.HEALED)
    assert promotion(*RULE, Autonomy.APPROVE, world.record, world.config) is None


def test_only_healings_since_the_last_change_are_evidence(build: Build) -> None:
    """A demoted rule has to earn it anew."""
    world = build(autonomy={"propose": {"healings": 3, "lower_bound": 0.2}})
    fail(world, 5, Outcome.HEALED)
    world.pass_(1)
    set_(world, Autonomy.APPROVE)
    world.pass_(1)
    assert promotion(*RULE, None, world.record, world.config) is None
    fail(world, 3, Outcome.HEALED)
    assert promotion(*RULE, None, world.record, world.config)


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_bound_is_careful(good: int, bad: int) -> None:
    """It is below the share that was seen, and one more success never lowers it."""
    number = good + bad
    bound = wilson_lower_bound(good, number)
    assert 0.0 <= bound <= (good / number if number else 0.0)
    assert wilson_lower_bound(good + 1, number + 1) >= bound
