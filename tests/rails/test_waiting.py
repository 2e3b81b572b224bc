"""Cooldown, settle and ramp up: what only takes time."""

from __future__ import annotations

from selfheal.model import Outcome, Refusal, Stage, Verdict

from .conftest import Build


def test_the_same_fix_waits_on_the_same_target(build: Build) -> None:
    """The solution is tried again when its cooldown is over, not a second earlier."""
    world = build(cooldown="60s")
    world.run(outcome=Outcome.FAILED)
    end = world.now
    world.pass_(10)
    again = world.healing()
    refused = world.ask(again)
    assert refused
    assert (refused.reason, refused.verdict, refused.until) == (
        Refusal.COOLDOWN,
        Verdict.WAIT,
        end + 60,
    )
    assert world.ask(again, solution="replace") is None
    assert world.ask(world.healing("web2")) is None
    world.pass_(50)
    assert world.ask(again) is None


def test_batches_of_one_rung_need_no_cooldown(build: Build) -> None:
    """The healing's own batches follow one another at once."""
    world = build(cooldown="60s", settle="60s")
    healing = world.healing()
    first = world.begin(healing)
    world.record.end_attempt(first.id, Outcome.HEALED, world.now)
    assert world.ask(healing, Stage.BATCH) is None
    assert world.ask(healing, Stage.RUNG) is None


def test_an_echo_has_time_to_go_away(build: Build) -> None:
    """After the engine acted on a target, a fault there waits, whatever would be run."""
    world = build(settle="15s")
    world.run()
    world.pass_(1)
    echo = world.healing("web1", world.fault("web1", rule="slow"))
    refused = world.ask(echo, solution="replace")
    assert refused
    assert (refused.reason, refused.verdict) == (Refusal.SETTLING, Verdict.WAIT)
    assert refused.until == world.now + 14
    assert world.ask(world.healing("web2")) is None
    world.pass_(14)
    assert world.ask(echo) is None


def test_a_clock_set_back_holds_nobody_for_hours(build: Build) -> None:
    """An end far in the future says nothing of how long ago it was."""
    world = build(cooldown="60s", settle="60s")
    world.run()
    world.pass_(-3600)
    assert world.ask(world.healing()) is None


def test_an_operator_by_hand_need_not_wait(build: Build) -> None:
    """Who runs a runbook again has seen how it ended."""
    world = build(cooldown="60s", settle="60s", ramp_up={"max": 1})
    world.run()
    assert world.ask(world.by_hand()) is None


def test_what_waited_for_a_window_is_let_through_slowly(build: Build) -> None:
    """After the end at most two attempts begin in half a minute, for ten minutes."""
    world = build(ramp_up={"max": 2, "every": "30s", "during": "10m"})
    waiting = [world.healing(f"web{i}") for i in range(4)]
    world.window(for_=50)
    refused = world.ask(waiting[0])
    assert refused
    assert refused.reason is Refusal.MAINTENANCE
    world.pass_(50)
    assert world.ask(waiting[0]) is None
    world.begin(waiting[0])
    began = world.now
    world.pass_(1)
    world.begin(waiting[1])
    refused = world.ask(waiting[2])
    assert refused
    assert (refused.reason, refused.verdict, refused.until) == (
        Refusal.RAMP_UP,
        Verdict.WAIT,
        began + 30,
    )
    world.pass_(29)
    assert world.ask(waiting[2]) is None
    world.begin(waiting[2])
    assert world.ask(waiting[3])
    world.pass_(570)
    world.begin(waiting[3])
    world.pass_(1)
    world.run("web5")
    assert world.ask(world.healing("web6")) is None, "ten minutes are over"


def test_a_silence_for_others_ramps_nobody_up(build: Build) -> None:
    """Only what would have been held by it is let through slowly."""
    world = build(ramp_up={"max": 1, "every": "30s", "during": "10m"})
    world.silence('target="web1"', for_=10)
    world.pass_(10)
    world.run("web3")
    assert world.ask(world.healing("web2")) is None
    assert world.ask(world.healing("web1"))


def test_a_window_that_was_ended_before_it_began_holds_and_ramps_nothing(build: Build) -> None:
    """Withdrawn in time is as if it had never been."""
    world = build(ramp_up={"max": 1, "every": "30s", "during": "10m"})
    window = world.window(in_=5)
    world.record.end_maintenance(window.id, world.now)
    world.pass_(10)
    world.run("web3")
    assert world.ask(world.healing("web2")) is None
