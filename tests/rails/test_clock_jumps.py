"""The wall clock is set an hour back or forward: no rail holds for longer, none is blind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from selfheal.model import Autonomy, Outcome, Refusal, Refused, Storm, new_id
from selfheal.rails import demotion, watch_storm

from .conftest import Build
from .world import World

HOUR = 3600.0


class Window(NamedTuple):
    """A rail that counts in a window."""

    config: dict[str, Any]
    """What switches it on."""
    fill: Callable[[World], object]
    """Do what fills the window."""
    reason: Refusal
    """What it says then."""


def healings(world: World) -> None:
    """Two on one target."""
    for _ in range(2):
        world.run()
        world.pass_(1)


def hosts(world: World) -> None:
    """Two of the four hosts are touched."""
    world.inventory = frozenset({"web1", "web2", "web3", "web4"})
    for host in ("web2", "web3"):
        world.run(host)


def failures(world: World) -> None:
    """Two on one target."""
    for _ in range(2):
        world.run(outcome=Outcome.FAILED)
        world.pass_(1)


def openings(world: World) -> None:
    """The fault came three times, and went by itself."""
    for _ in range(3):
        world.close(world.fault())
        world.pass_(1)


def an_end_and_a_beginning(world: World) -> None:
    """A storm is over, and the first that waited has begun."""
    world.record.put_storm(Storm(new_id("sm"), "", (), world.now - 1, ended_at=world.now))
    world.run()


LIMIT = {"max": 2, "every": "1h"}
WINDOWS = {
    "healings": Window({"limits": [{"per": "target", **LIMIT}]}, healings, Refusal.LIMIT),
    "solution": Window({"limits": [{"per": "solution", **LIMIT}]}, healings, Refusal.LIMIT),
    "hosts": Window(
        {"limits": [{"per": "global", "max": "50%", "every": "1h"}]}, hosts, Refusal.LIMIT
    ),
    "cooldown": Window({"cooldown": "30m"}, healings, Refusal.COOLDOWN),
    "settle": Window({"settle": "30m"}, healings, Refusal.SETTLING),
    "breaker": Window(
        {"breaker": {"failures": 2, "within": "1h", "rest": "30m"}}, failures, Refusal.BREAKER_OPEN
    ),
    "flapping": Window({"flapping": {"openings": 4, "within": "30m"}}, openings, Refusal.FLAPPING),
    "ramp_up": Window(
        {"ramp_up": {"max": 1, "every": "10m", "during": "30m"}},
        an_end_and_a_beginning,
        Refusal.RAMP_UP,
    ),
}


def answer(world: World) -> Refused | None:
    """What the rails say to one more fault, which goes away."""
    fault = world.fault()
    try:
        return world.ask(world.healing(fault=fault))
    finally:
        world.close(fault)
        world.pass_(1)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forward"])
def test_a_window_counts_what_is_in_it_and_nothing_to_come(
    build: Build, name: str, jump: float
) -> None:
    """What fills it by the old time holds nobody by the new one; what is done by the new time
    fills it anew, whatever is on record of times to come."""
    window = WINDOWS[name]
    world = build(**window.config)
    assert answer(world) is None
    window.fill(world)
    refused = answer(world)
    assert refused
    assert refused.reason is window.reason
    world.clock.jump(jump)
    assert answer(world) is None
    window.fill(world)
    refused = answer(world)
    assert refused
    assert refused.reason is window.reason
    assert refused.until is None or refused.until <= world.now + HOUR


def test_a_pause_holds_until_it_is_lifted_and_then_never_again(build: Build) -> None:
    """Neither an hour back, when it was not yet begun, nor an hour forward ends it; lifted, an
    hour back does not bring it back."""
    world = build()
    pause = world.pause()
    for jump in (-HOUR, 2 * HOUR, -HOUR):
        world.clock.jump(jump)
        refused = answer(world)
        assert refused
        assert refused.reason is Refusal.PAUSED
    world.record.end_pause(pause.id, world.now)
    world.clock.jump(-HOUR)
    assert answer(world) is None


@pytest.mark.parametrize("kind", ["silence", "window"])
def test_what_holds_from_now_on_holds_on(build: Build, kind: str) -> None:
    """A silence or window that was begun is not ended by an hour back; its end is an hour of the
    clock on the wall, so an hour forward ends it. One that is planned begins when it was to."""
    world = build()
    getattr(world, kind)('target="web1"', for_=600)
    world.clock.jump(-HOUR)
    assert answer(world)
    world.clock.jump(2 * HOUR)
    assert answer(world) is None
    planned = build()
    getattr(planned, kind)('target="web1"', in_=600, for_=600)
    planned.clock.jump(-HOUR)
    assert answer(planned) is None


def a_storm(world: World) -> None:
    for host in world.inventory:
        world.fault(host)
    [began] = watch_storm(world.record, world.inventory, {}, world.now, world.config)
    assert began.storm.ended_at is None


@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forward"])
def test_a_storm_ends_after_its_calm_by_either_time(build: Build, jump: float) -> None:
    """The faults are gone, the clock is set: no more than the cool-down later it is over."""
    world = build(storm={"share": "50%", "min_hosts": 3, "cool_down": "10m"})
    world.inventory = frozenset({"web1", "web2", "web3", "web4"})
    a_storm(world)
    for host in world.inventory:
        world.close(world.fault(host))
    assert not watch_storm(world.record, world.inventory, {}, world.now, world.config)
    world.clock.jump(jump)
    ended = list(watch_storm(world.record, world.inventory, {}, world.now, world.config))
    world.pass_(600)
    ended += watch_storm(world.record, world.inventory, {}, world.now, world.config)
    assert len(ended) == 1
    assert answer(world) is None


def test_an_end_to_come_hides_no_storm(build: Build) -> None:
    """A human ended a storm and the clock is set back behind that end: the next is seen."""
    world = build(storm={"share": "50%", "min_hosts": 3, "cool_down": "10m"})
    world.inventory = frozenset({"web1", "web2", "web3", "web4"})
    over = Storm(new_id("sm"), "", (), world.now - 60, ended_at=world.now, ended_by="ann")
    world.record.put_storm(over)
    world.clock.jump(-HOUR)
    a_storm(world)


def demoted(world: World) -> Autonomy | None:
    """What the rule is demoted to now, on record."""
    change = demotion("web", "down", None, world.record, world.config, world.now)
    if change is None:
        return None
    world.record.change_autonomy(change)
    return change.level


@pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forward"])
def test_each_level_costs_as_many_failures_by_either_time(build: Build, jump: float) -> None:
    """Failures that led to a demotion lead to no second one; those after the jump do."""
    world = build()
    for _ in range(3):
        world.run(outcome=Outcome.FAILED)
    world.pass_(2 * HOUR)
    assert demoted(world) is Autonomy.APPROVE
    world.clock.jump(jump)
    for _ in range(2):
        world.run(outcome=Outcome.FAILED)
        world.pass_(1)
        assert demoted(world) is None
    world.run(outcome=Outcome.FAILED)
    assert demoted(world) is Autonomy.SUGGEST
