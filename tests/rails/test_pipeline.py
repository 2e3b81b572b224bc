"""The pipeline: order, stages, and what happens when a rail itself is broken."""

from __future__ import annotations

import pytest

from selfheal.config import Rails
from selfheal.model import Refusal, Stage, Verdict
from selfheal.rails import RAILS, pipeline

from .conftest import Build
from .world import World


def test_every_rail_binds_the_start() -> None:
    """Nothing is run that some rail was never asked about."""
    assert [rail.ask.__name__ for rail in RAILS if Stage.START not in rail.stages] == []


def test_the_first_refusal_is_the_answer(build: Build) -> None:
    """A pause is told before the silence behind it: one reason at a time, always the same."""
    world = build()
    world.pause()
    world.silence('target="web1"')
    refused = world.ask(world.healing())
    assert refused
    assert refused.reason is Refusal.PAUSED


@pytest.mark.parametrize("rail", RAILS, ids=lambda one: one.ask.__name__)
def test_a_broken_rail_refuses(
    build: Build, rail: pipeline.Rail, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can't be checked is not done, and the reason names the rail and its error."""

    def broken(request: object, record: object, config: object) -> None:
        raise ZeroDivisionError("no hosts")

    broken.__name__ = rail.ask.__name__
    changed = tuple(one._replace(ask=broken) if one is rail else one for one in RAILS)
    monkeypatch.setattr(pipeline, "RAILS", changed)
    world = build()
    refused = world.ask(world.healing())
    assert refused
    assert (refused.reason, refused.verdict) == (Refusal.RAIL_FAILED, Verdict.STOP)
    assert "no hosts" in refused.detail
    assert rail.ask.__name__ in refused.detail


def test_a_record_that_is_gone_refuses(build: Build) -> None:
    """The record can't be read: nothing is begun."""
    world = build()
    healing = world.healing()
    world.record.close()
    refused = world.ask(healing)
    assert refused
    assert refused.reason is Refusal.RAIL_FAILED


def test_the_defaults_let_a_small_site_heal() -> None:
    """Three faults of three hosts, each healed at once, on a site that configured nothing."""
    world = World(Rails())
    world.inventory = frozenset({"web1", "web2", "db"})
    try:
        for target in ("web1", "web2", "db"):
            healing = world.healing(target)
            assert world.ask(healing) is None
            attempt = world.begin(healing)
            assert world.ask(healing, Stage.RUNG) is None
            world.end(attempt)
            world.pass_(61)
        assert world.ask(world.healing("web1")) is None
    finally:
        world.record.close()


def test_the_defaults_end_an_endless_loop() -> None:
    """A fault that comes back a minute after each fix is with a human within the hour."""
    world = World(Rails())
    try:
        for _ in range(3):
            world.run()
            world.pass_(61)
        refused = world.ask(world.healing())
        assert refused
        assert (refused.reason, refused.verdict) == (Refusal.FLAPPING, Verdict.STOP)
    finally:
        world.record.close()
