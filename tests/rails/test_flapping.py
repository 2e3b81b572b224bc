"""Flapping: a fault that comes back again and again is a human's."""

from __future__ import annotations

from selfheal.model import FaultState, Refusal, Verdict

from .conftest import Build


def test_the_fourth_opening_in_an_hour_stops(build: Build) -> None:
    """However it went away each time: healed, or by itself."""
    world = build(flapping={"openings": 4, "within": "1h"})
    for state in (FaultState.HEALED, FaultState.RESOLVED, FaultState.HEALED):
        fault = world.fault()
        assert world.ask(world.healing(fault=fault, fault_id="")) is None
        world.close(fault, state)
        world.pass_(600)
    refused = world.ask(world.healing())
    assert refused
    assert (refused.reason, refused.verdict) == (Refusal.FLAPPING, Verdict.STOP)
    assert "4 times in 30m" in refused.detail


def test_repeats_of_one_fault_are_no_openings(build: Build) -> None:
    """A report that comes every minute is one fault that stands."""
    world = build(flapping={"openings": 2, "within": "1h"})
    fault = world.fault()
    for _ in range(5):
        world.fault()
        world.pass_(60)
    assert world.ask(world.healing(fault=fault)) is None


def test_another_fault_of_the_target_is_another(build: Build) -> None:
    """Two faults that each came twice did not come four times."""
    world = build(flapping={"openings": 3, "within": "1h"})
    for rule in ("down", "slow", "down", "slow"):
        world.close(world.fault(rule=rule))
        world.pass_(60)
    assert world.ask(world.healing(fault=world.fault(rule="slow"))), "its third"
    assert world.ask(world.healing(fault=world.fault(rule="full"))) is None


def test_slowly_is_not_flapping(build: Build) -> None:
    """Openings further apart than the window's share are let through."""
    world = build(flapping={"openings": 3, "within": "1h"})
    for _ in range(5):
        fault = world.fault()
        assert world.ask(world.healing(fault=fault, fault_id="")) is None
        world.close(fault)
        world.pass_(1801)
