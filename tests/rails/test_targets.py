"""Targets: nothing, or too much."""

from __future__ import annotations

import pytest

from selfheal.model import Outcome, Refusal, Stage, Verdict

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


SAME_HOST = ["web1", "web1:9100", "WEB1", "http://web1/health", "web1.:80"]


@pytest.mark.parametrize("other", SAME_HOST)
def test_whatever_port_of_a_host_is_meant_it_is_one(build: Build, other: str) -> None:
    """Limits, cooldown and settle count by host, and nothing is run beside what is broken there."""
    for settings in (
        {"limits": [{"per": "target", "max": 1, "every": "1h"}]},
        {"cooldown": "1m"},
        {"settle": "1m"},
    ):
        world = build(**settings)
        world.run("web1:8080")
        assert world.ask(world.healing(other)), settings
        assert world.ask(world.healing("web2:8080")) is None
    world = build()
    world.run("web1:8080", Outcome.ROLLBACK_FAILED)
    world.restart()
    refused = world.ask(world.healing(other))
    assert refused
    assert refused.reason is Refusal.UNSETTLED


@pytest.mark.parametrize("other", SAME_HOST)
def test_a_silence_can_name_the_host(build: Build, other: str) -> None:
    """`host` is the host whatever the target looks like; `target` is as the alert has it."""
    world = build()
    world.silence("host=web1")
    assert world.ask(world.healing(other))
    assert world.ask(world.healing("web2")) is None


def test_what_is_no_host_stays_as_it_is(build: Build) -> None:
    """Components and patterns are counted under their own names."""
    world = build(cooldown="1m")
    world.run("web*,!web1")
    assert world.ask(world.healing("web*,!web1"))
    assert world.ask(world.healing("web*")) is None
