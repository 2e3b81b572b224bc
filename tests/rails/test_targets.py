"""Targets: nothing, or too much."""

from __future__ import annotations

import pytest

from selfheal.model import Refusal, Stage, Verdict

from .conftest import Build

TEN = tuple(f"h{i}" for i in range(10))


@pytest.mark.parametrize(
    ("hosts", "inventory", "reason"),
    [
        ((), TEN, Refusal.EMPTY_TARGET),
        ((), (), Refusal.EMPTY_TARGET),
        (TEN[:5], TEN, None),
        (TEN[:6], TEN, Refusal.TOO_MANY_TARGETS),
        (TEN, TEN, Refusal.TOO_MANY_TARGETS),
        (TEN[:3], TEN[:3], None),
        (TEN[:4], TEN[:4], Refusal.TOO_MANY_TARGETS),
        (None, TEN, None),
    ],
)
def test_how_many_hosts(
    build: Build, hosts: tuple[str, ...] | None, inventory: tuple[str, ...], reason: Refusal | None
) -> None:
    """None is too few, more than half too many; in an inventory of three shares mean nothing."""
    world = build()
    world.inventory = frozenset(inventory)
    for healing in (world.healing(), world.by_hand("web2")):
        for stage in (Stage.START, Stage.RUNG):
            refused = world.ask(healing, stage, hosts=hosts)
            assert (refused.reason if refused else None) is reason
            assert refused is None or refused.verdict is Verdict.SKIP


def test_a_number_beside_the_share(build: Build) -> None:
    """`max` holds in every inventory, `max_share: off` or not."""
    world = build(targets={"max": 2, "max_share": False})
    assert world.ask(world.healing(), hosts=("a", "b")) is None
    refused = world.ask(world.healing("web2"), hosts=("a", "b", "c"))
    assert refused
    assert "at most 2" in refused.detail
