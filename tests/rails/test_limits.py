"""Limits: windows and at once, by every key, as numbers and as shares."""

from __future__ import annotations

import pytest

from selfheal.model import Outcome, Refusal, Stage, Verdict

from .conftest import Build


def test_three_an_hour_and_two_in_ten_minutes(build: Build) -> None:
    """Several limits hold at once; each lets go when its own window has passed."""
    world = build(
        limits=[
            {"per": "target", "max": 2, "every": "10m"},
            {"per": "target", "max": 3, "every": "1h"},
        ]
    )
    world.run()
    world.pass_(60)
    world.run()
    third = world.healing()
    refused = world.ask(third)
    assert refused
    assert (refused.reason, refused.verdict) == (Refusal.LIMIT, Verdict.STOP)
    assert "at most 2" in refused.detail
    world.pass_(541)
    assert world.ask(third) is None
    world.end(world.begin(third))
    world.pass_(601)
    fourth = world.healing()
    refused = world.ask(fourth)
    assert refused
    assert "at most 3" in refused.detail
    world.pass_(3600)
    assert world.ask(fourth) is None


def test_each_key_counts_its_own(build: Build) -> None:
    """Another target, another rule and another solution have their own count."""
    world = build(limits=[{"per": ["rule", "target"], "max": 1, "every": "1h"}])
    world.run()
    assert world.ask(world.healing("web1"))
    assert world.ask(world.healing("web2")) is None
    other = world.fault("web1", rule="slow")
    assert world.ask(world.healing("web1", other)) is None


def test_a_full_solution_is_skipped(build: Build) -> None:
    """What is counted per solution leaves the other rungs alone."""
    world = build(limits=[{"per": "solution", "max": 1, "every": "1h"}])
    world.run()
    healing = world.healing("web2")
    refused = world.ask(healing)
    assert refused
    assert refused.verdict is Verdict.SKIP
    assert world.ask(healing, solution="replace") is None


def test_what_was_refused_is_not_counted(build: Build) -> None:
    """Neither an attempt that a rail refused nor one in check mode changed anything."""
    world = build(limits=[{"per": "global", "max": 1, "every": "1h"}])
    skipped = world.healing()
    attempt = world.begin(skipped)
    world.end(attempt, Outcome.REFUSED)
    checked = world.by_hand("web3", options={"check": True})
    world.end(world.begin(checked))
    assert world.ask(world.healing("web2")) is None


def test_a_healing_never_counts_against_itself(build: Build) -> None:
    """Its second rung is no second healing, however full the window is meanwhile."""
    world = build(limits=[{"per": "target", "max": 1, "every": "1h"}])
    healing = world.healing()
    first = world.begin(healing)
    assert world.ask(healing, Stage.RUNG) is None
    world.record.end_attempt(first.id, Outcome.FAILED, world.now)
    assert world.ask(healing, Stage.RUNG, solution="replace") is None


def test_one_that_waits_for_an_approval_counts(build: Build) -> None:
    """It was let through, so its place is taken, though nothing of it has begun."""
    world = build(
        limits=[
            {"per": "rule", "max": 1, "at_once": True},
            {"per": "global", "max": 1, "every": "1h"},
        ]
    )
    world.admit(world.healing())
    refused = world.ask(world.healing("web2"))
    assert refused
    assert (refused.verdict, refused.until) == (Verdict.WAIT, None)
    world.pass_(7200)
    other = world.fault("web3", rule="slow")
    refused = world.ask(world.healing("web3", other))
    assert refused
    assert refused.verdict is Verdict.STOP


def test_at_once_waits_until_one_has_ended(build: Build) -> None:
    """Two at a time of one solution: the third waits, and goes on when one is done."""
    world = build(limits=[{"per": "solution", "max": 2, "at_once": True}])
    first = world.begin(world.healing("web1"))
    world.begin(world.healing("web2"))
    third = world.healing("web3")
    refused = world.ask(third)
    assert refused
    assert refused.verdict is Verdict.WAIT
    assert world.ask(third, solution="replace") is None
    world.end(first)
    assert world.ask(third) is None


def test_two_under_way_never_hold_each_other_up(build: Build) -> None:
    """After a limit was lowered two may be inside: each later rung counts only what is at work."""
    world = build(limits=[{"per": "solution", "max": 1, "at_once": True}])
    first, second = world.healing("web1"), world.healing("web2")
    world.admit(first)
    world.admit(second)
    assert world.ask(first, Stage.RUNG) is None
    world.begin(first)
    assert world.ask(second, Stage.RUNG)


def test_a_share_of_a_group(build: Build) -> None:
    """A fifth of ten hosts is two; they are hosts, each counted once, whoever touches them."""
    world = build(limits=[{"per": "group", "max": "20%", "at_once": True}])
    web = frozenset(f"web{i}" for i in range(10))
    world.inventory, world.groups = web | {"db"}, {"web": web}
    world.begin(world.healing("web1"))
    second = world.healing("web2")
    assert world.ask(second) is None
    assert world.ask(second, hosts=("web1", "web2")) is None
    refused = world.ask(second, hosts=("web2", "web3"))
    assert refused
    assert refused.verdict is Verdict.WAIT
    refused = world.ask(second, hosts=("web2", "web3", "web4"))
    assert refused
    assert refused.verdict is Verdict.SKIP, "alone it is more than will ever be free"
    world.begin(second)
    assert world.ask(world.healing("web3"))
    world.groups = {}
    assert world.ask(world.healing("db")) is None


def test_a_share_of_a_small_group_is_one(build: Build) -> None:
    """A fifth of two hosts is none: then nothing would ever be healed, so it is one."""
    world = build(limits=[{"per": "group", "max": "20%", "at_once": True}])
    world.inventory = frozenset({"web1", "web2"})
    world.groups = {"web": world.inventory}
    first = world.healing("web1")
    assert world.ask(first) is None
    world.begin(first)
    assert world.ask(world.healing("web2"))


def test_a_share_of_the_inventory_in_an_hour(build: Build) -> None:
    """Hosts touched within the window count, also those of a canary's batch."""
    world = build(limits=[{"per": "global", "max": "50%", "every": "1h"}])
    world.inventory = frozenset(f"h{i}" for i in range(6))
    healing = world.healing("h0")
    world.end(world.begin(healing, hosts=("h0", "h1", "h2")))
    assert world.ask(world.healing("h1")) is None
    refused = world.ask(world.healing("h5"))
    assert refused
    assert (refused.reason, refused.verdict) == (Refusal.LIMIT, Verdict.STOP)
    world.pass_(3601)
    assert world.ask(world.healing("h4")) is None


def test_batches_of_one_rung_are_one(build: Build) -> None:
    """A canary's later batches are counted with its first."""
    world = build(limits=[{"per": "solution", "max": 2, "every": "1h"}])
    healing = world.healing()
    for batch in range(3):
        attempt = world.begin(healing, batch=batch)
        world.record.end_attempt(attempt.id, Outcome.HEALED, world.now)
        assert world.ask(healing, Stage.BATCH) is None
    assert world.ask(world.healing("web2")) is None


@pytest.mark.parametrize("per", ["target", "rule", "solution", "global", ["rule", "solution"]])
def test_by_hand_only_what_runs_at_once_binds(build: Build, per: object) -> None:
    """An operator may do more in an hour than the engine, but not more side by side."""
    world = build(limits=[{"per": per, "max": 1, "every": "1h"}])
    world.run()
    assert world.ask(world.by_hand()) is None
    world = build(limits=[{"per": "solution", "max": 1, "at_once": True}])
    world.begin(world.healing())
    assert world.ask(world.by_hand("web2"))
    assert world.ask(world.by_hand("web3"), override="the site is down") is None
