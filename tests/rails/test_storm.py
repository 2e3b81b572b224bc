"""Storm: begins by a share, holds for everybody, ends after calm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from selfheal.model import (
    Decision,
    Fault,
    FaultState,
    Refusal,
    Risk,
    Stage,
    Strategy,
    Verdict,
    new_id,
)
from selfheal.rails import StormNews, watch_storm
from selfheal.rails.storm import host_of

from .conftest import Build
from .world import World

HOSTS = [f"h{i}" for i in range(10)]


def watch(world: World) -> list[StormNews]:
    return watch_storm(world.record, world.inventory, world.groups, world.now, world.config)


def raging(build: Build, number: int = 6, **settings: object) -> tuple[World, list[Fault]]:
    """A world of ten hosts in which so many are unhealthy."""
    world = build(storm={"share": "50%", "min_hosts": 3, "cool_down": "10m"} | settings)
    world.inventory = frozenset(HOSTS)
    return world, [world.fault(host) for host in HOSTS[:number]]


def test_more_than_half_unhealthy_holds_everybody(build: Build) -> None:
    """Six of ten: every stage of every healing waits, runbooks by hand included."""
    world, faults = raging(build)
    healings = [world.healing("h0", faults[0]), world.by_hand("h9")]
    for when in ("before anybody watched", "after"):
        for healing in healings:
            for stage in Stage:
                refused = world.ask(healing, stage)
                assert refused, when
                assert (refused.reason, refused.verdict) == (Refusal.STORM, Verdict.WAIT)
                assert refused.everybody
                assert refused.until
                assert world.now < refused.until <= world.now + 30
        watch(world)
    assert world.ask(healings[1], override="I know what it is") is None


@pytest.mark.parametrize(
    ("number", "settings"),
    [(5, {}), (6, {"min_hosts": 7})],
    ids=["half is not more than half", "too few hosts"],
)
def test_less_is_no_storm(build: Build, number: int, settings: dict[str, object]) -> None:
    """Exactly the share, or fewer hosts than are worth speaking of, is no storm."""
    world, faults = raging(build, number, **settings)
    assert world.ask(world.healing("h0", faults[0])) is None
    assert watch(world) == []


def test_only_hosts_of_the_inventory_count(build: Build) -> None:
    """Six targets on one host are one host; unknown targets are none."""
    world, _ = raging(build, 0)
    for number in range(6):
        world.fault(f"h0:{8080 + number}")
        world.fault(f"elsewhere{number}")
    assert watch(world) == []
    assert world.ask(world.healing("h1")) is None


def test_a_human_is_told_once_and_it_ends_after_calm(build: Build) -> None:
    """Below the threshold it goes on for the cool down; a relapse begins the wait anew."""
    world, faults = raging(build)
    [began] = watch(world)
    assert "6 of 10" in began.text
    assert watch(world) == []
    world.close(faults[0])
    assert watch(world) == []
    world.pass_(599)
    assert world.ask(world.healing("h1", faults[1]))
    again = world.fault("h0")
    assert watch(world) == []
    world.pass_(2)
    assert watch(world) == []
    world.close(again)
    watch(world)
    world.pass_(600)
    [ended] = watch(world)
    assert ended.storm.ended_at == world.now
    assert watch(world) == []
    assert world.ask(world.healing("h2", faults[2])) is None


def test_a_restart_does_not_end_it(build: Build) -> None:
    """In its calm it holds only by the record, and the record has it."""
    world, faults = raging(build)
    watch(world)
    world.close(faults[0])
    watch(world)
    world.restart()
    assert world.ask(world.healing("h1", faults[1]))
    assert watch(world) == []


def test_a_storm_over_one_group(build: Build) -> None:
    """Half of a group may be too much while the inventory as a whole is well."""
    world, _ = raging(build, 0, groups="50%")
    world.groups = {"web": frozenset(HOSTS[:4])}
    for host in HOSTS[:3]:
        world.fault(host)
    assert world.ask(world.healing("h9"))
    [news] = watch(world)
    assert news.storm.group == "web"


@pytest.mark.parametrize("state", [FaultState.OPEN, FaultState.MANUAL], ids=lambda one: one.value)
def test_what_nobody_reports_for_long_counts_no_longer(build: Build, state: FaultState) -> None:
    """Where nothing ever says `resolved` old faults add up to no storm, nor keep one for ever:
    those, too, that are open because the storm itself holds their healings."""
    world, faults = raging(build, forget="1d")
    for fault in faults:
        world.close(fault, state)
    assert watch(world)
    world.pass_(86401)
    watch(world)
    world.pass_(600)
    [news] = watch(world)
    assert "over" in news.text


def test_switched_off_it_is_over(build: Build) -> None:
    """A storm on record ends when the rail is switched off, and is told."""
    world, faults = raging(build)
    watch(world)
    world.config = build().config
    assert world.ask(world.healing("h1", faults[1])) is None
    assert [one.storm.ended_at for one in watch(world)] == [world.now]


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("web1", "web1"),
        ("web1:8080", "web1"),
        ("http://web1:8080/healthz", "web1"),
        ("https://user@web1/", "web1"),
        ("[fd00::1]:9100", "fd00::1"),
        ("fd00::1", "fd00::1"),
        ("db", ""),
        ("", ""),
    ],
)
def test_the_host_of_a_target(target: str, host: str) -> None:
    """Ports, schemes and paths are no part of a host."""
    assert host_of(target, {"web1", "fd00::1"}) == host


@pytest.mark.parametrize("refused", [Refusal.OBSERVE_ONLY, Refusal.SUGGEST_ONLY, None])
def test_rules_that_may_only_look_make_no_storm(build: Build, refused: Refusal | None) -> None:
    """Their faults stay with humans for as long as they like; what was tried in vain counts."""
    world, faults = raging(build)
    for fault in faults:
        decision = Decision(
            id=new_id("de"),
            incident_id=fault.incident_id,
            fault_id=fault.id,
            at=world.now,
            strategy=Strategy.MANUAL,
            solution="",
            confidence=0.0,
            risk=Risk.LOW,
            requires_approval=False,
            refused=refused,
            reasoning=(),
        )
        world.record.add_decision(decision)
        world.close(fault, FaultState.MANUAL)
    assert bool(watch(world)) is (refused is None)


def test_a_human_ends_it_for_what_is_known(build: Build) -> None:
    """The same faults make no storm again, in no process; fresh reports of them do."""
    world, faults = raging(build, groups="50%")
    world.groups = {"web": frozenset(HOSTS[:4])}
    watch(world)
    world.pass_(60)
    for one in world.record.storms(world.now):
        world.record.put_storm(replace(one, ended_at=world.now, ended_by="ann"))
    world.restart()
    assert watch(world) == []
    assert world.ask(world.healing("h0", faults[0])) is None
    world.pass_(60)
    for host in HOSTS[:6]:
        world.fault(host)
    assert {one.storm.group for one in watch(world)} == {"", "web"}


def test_a_storm_ended_over_one_group_is_not_ended_over_another(build: Build) -> None:
    """A human speaks of what they have looked at."""
    world, _ = raging(build, groups="50%")
    world.groups = {"web": frozenset(HOSTS[:4])}
    watch(world)
    [group] = [one for one in world.record.storms(world.now) if one.group]
    world.record.put_storm(replace(group, ended_at=world.now, ended_by="ann"))
    assert watch(world) == []
    refused = world.ask(world.healing("h9"))
    assert refused
    assert "inventory" in refused.detail
