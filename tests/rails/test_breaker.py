"""The circuit breaker: open, half open, closed."""

from __future__ import annotations

import pytest

from selfheal.model import Outcome, Refusal, Stage, Verdict
from selfheal.rails import demotion

from .conftest import Build
from .world import World

BREAKER = {"failures": 3, "within": "1h", "rest": "30m"}


def fail(world: World, *, times: int = 1, every: float = 60.0) -> None:
    """Let the solution fail, each time on another target."""
    for number in range(times):
        world.run(f"bad{world.now}{number}", Outcome.FAILED)
        world.pass_(every)


@pytest.mark.parametrize(
    "bad", [Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.ROLLBACK_FAILED], ids=lambda one: one.value
)
def test_three_failures_in_an_hour_open_it(build: Build, bad: Outcome) -> None:
    """It is skipped then, everywhere; other solutions are not."""
    world = build(breaker=BREAKER)
    for number in range(3):
        assert world.ask(world.healing(f"ok{number}")) is None
        world.run(f"web{number}", bad)
    healing = world.healing("web9")
    for stage in (Stage.START, Stage.RUNG):
        refused = world.ask(healing, stage)
        assert refused
        assert (refused.reason, refused.verdict) == (Refusal.BREAKER_OPEN, Verdict.SKIP)
    assert world.ask(healing, solution="replace") is None


def test_failures_far_apart_do_not(build: Build) -> None:
    """Three in three hours are no three in one."""
    world = build(breaker=BREAKER)
    fail(world, times=3, every=1801)
    assert world.ask(world.healing()) is None


def test_a_success_between_them_forgets(build: Build) -> None:
    """A solution that heals now and then is not broken."""
    world = build(breaker=BREAKER)
    fail(world, times=2)
    world.run("web5")
    world.pass_(1)
    fail(world, times=2)
    assert world.ask(world.healing()) is None


@pytest.mark.parametrize("silent", [Outcome.REFUSED, Outcome.UNKNOWN], ids=lambda one: one.value)
def test_what_proves_nothing_does_not_count(build: Build, silent: Outcome) -> None:
    """Only what was run and failed counts."""
    world = build(breaker=BREAKER)
    for number in range(5):
        world.run(f"web{number}", silent)
    assert world.ask(world.healing()) is None


def test_one_probe_at_a_time_when_it_has_rested(build: Build) -> None:
    """Half open: one healing tries, all others skip until it has ended."""
    world = build(breaker=BREAKER)
    fail(world, times=3)
    world.pass_(1740)
    probe, other = world.healing("web1"), world.healing("web2")
    assert world.ask(probe) is None
    world.begin(probe)
    refused = world.ask(other, Stage.RUNG)
    assert refused
    assert "probed" in refused.detail


def test_a_good_probe_closes_it(build: Build) -> None:
    """After one success everybody may again, several at a time."""
    world = build(breaker=BREAKER)
    fail(world, times=3)
    world.pass_(1740)
    world.run("web1")
    world.begin(world.healing("web2"))
    assert world.ask(world.healing("web3")) is None


def test_a_bad_probe_opens_it_anew(build: Build) -> None:
    """It rests again from the probe's end, and one failure was enough."""
    world = build(breaker=BREAKER)
    fail(world, times=3)
    world.pass_(7200)
    fail(world)
    assert world.ask(world.healing())
    world.pass_(1739)
    assert world.ask(world.healing("web2"))
    world.pass_(1)
    assert world.ask(world.healing("web3")) is None


def test_by_hand_it_does_not_bind_and_can_be_closed(build: Build) -> None:
    """An operator may try at once; when that heals the engine may, too."""
    world = build(breaker=BREAKER)
    fail(world, times=3)
    manual = world.by_hand()
    assert world.ask(manual) is None
    world.end(world.begin(manual))
    assert world.ask(world.healing("web2")) is None


def stop(world: World, outcome: Outcome) -> None:
    """A human stops a healing that runs."""
    healing = world.healing(f"stopped{world.now}")
    attempt = world.begin(healing)
    world.record.request_stop(healing.id, "I am working there")
    world.end(attempt, outcome)
    world.pass_(60)


@pytest.mark.parametrize(
    "outcome", [Outcome.FAILED, Outcome.ROLLED_BACK], ids=lambda one: one.value
)
def test_what_a_human_stopped_is_no_failure(build: Build, outcome: Outcome) -> None:
    """Neither the solution's nor the rule's: not in the breaker, demotion, or confidence."""
    world = build(breaker=BREAKER)
    for _ in range(5):
        stop(world, outcome)
    world.restart()
    assert world.ask(world.healing()) is None
    assert demotion("web", "down", None, world.record, world.config, world.now) is None
    assert world.record.solution_record("restart").usage_count == 0
    fail(world, times=3)
    assert world.ask(world.healing("web9"))


def test_a_rollback_that_failed_counts_whoever_stopped_it(build: Build) -> None:
    """That it can't be undone is a fault of the solution."""
    world = build(breaker=BREAKER)
    for _ in range(3):
        stop(world, Outcome.ROLLBACK_FAILED)
    assert world.ask(world.healing())
    assert demotion("web", "down", None, world.record, world.config, world.now)
    assert world.record.solution_record("restart").usage_count == 3


def test_a_clock_set_back_keeps_no_breaker_open_for_the_whole_jump(build: Build) -> None:
    """Failures that lie in the future by now are no reason to rest until then."""
    world = build(breaker={"failures": 2, "within": "1h", "rest": "30m"})
    world.pass_(30 * 86400)
    for _ in range(2):
        world.run(outcome=Outcome.FAILED)
    assert world.ask(world.healing())
    world.pass_(-30 * 86400)
    assert world.ask(world.healing("web2")) is None
