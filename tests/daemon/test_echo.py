"""Echoes: which reports are looked at, on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from selfheal.daemon.echo import Echoes
from selfheal.model import Fault, Outcome, Risk, Solution, Strategy, Validation
from selfheal.recovery import LiveVariables
from tests.rails.world import World, rails

SETTLE = 15.0


@pytest.fixture
def world() -> Iterator[World]:
    world = World(rails(settle="15s"))
    yield world
    world.record.close()


def proofs(*argvs: list[str]) -> tuple[Validation, ...]:
    return tuple(Validation("command", {"argv": argv}, stable_for=60.0) for argv in argvs)


HOLDS, DOES_NOT = ["true"], ["false"]


async def is_echo(world: World, fault: Fault, validate: tuple[Validation, ...]) -> bool:
    solution = Solution("restart", "*", Strategy.QUICK_FIX, Risk.LOW, (), validate=validate)
    healing = world.healing(fault=fault, ladder=(solution,))
    echoes = Echoes(world.record, lambda: world.config, LiveVariables(), "", world.clock)
    return await echoes.is_one(healing, fault, 0)


@pytest.mark.parametrize(
    ("first", "again", "echo"),
    [
        (0.0, None, True),
        (SETTLE - 1, None, True),
        (SETTLE, None, False),
        (1.0, SETTLE - 1, True),
        (1.0, SETTLE, False),
    ],
)
async def test_only_what_nobody_has_reported_since_is_looked_at(
    world: World, first: float, again: float | None, echo: bool
) -> None:
    """A report made when the target had settled is healed without a look, the first or a later."""
    world.run(outcome=Outcome.FAILED)
    acted = world.now
    world.pass_(first)
    fault = world.fault()
    if again is not None:
        world.pass_(acted + again - world.now)
        fault = world.fault()
    assert await is_echo(world, fault, proofs(HOLDS)) is echo


@pytest.mark.parametrize(
    ("validate", "echo"),
    [
        (proofs(HOLDS, HOLDS), True),
        (proofs(HOLDS, DOES_NOT), False),
        ((), False),
        ((Validation("playbook", {"name": "check.yml"}),), False),
        ((Validation("event"),), False),
    ],
)
async def test_every_proof_must_hold_at_one_look(
    world: World, validate: tuple[Validation, ...], echo: bool
) -> None:
    """One look is enough, whatever `stable_for` says; what a look can't tell is no echo."""
    world.run()
    world.pass_(1)
    assert await is_echo(world, world.fault(), validate) is echo


async def test_where_nothing_was_done_there_is_no_echo(world: World) -> None:
    """Neither on another target, nor with settle off."""
    world.run("web2")
    fault = world.fault("web1")
    assert not await is_echo(world, fault, proofs(HOLDS))
    world.config = rails()
    assert not await is_echo(world, world.fault("web2"), proofs(HOLDS))
