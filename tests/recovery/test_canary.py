"""Canary rollouts: few hosts first, proven, then the rest; and what stops them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from selfheal.model import Canary, Healing, HealingState, Outcome, Refusal, Refused, Stage, Verdict
from selfheal.recovery.executors import FAILS, MemoryRunner, Reply

from .gates import RuleGate, wait
from .nouns import solution_of, step_of
from .test_runtime import Engine, checks, submitted

HOSTS = ("web1", "web2", "web3", "web4", "web5", "web6", "lb1")
GROUPS = {"web": HOSTS[:6], "lb": ("lb1",)}
CONTEXT = {"target": "web3:80", "component": "web", "fault": {}, "event": {}, "vars": {}}


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path / "record.db")
    yield engine
    await engine.close()


def start(engine: Engine, script: dict[str, Any] | None = None, **kwargs: Any) -> Any:
    """Start a runtime whose inventory has groups."""
    inventory = MemoryRunner(known_hosts=HOSTS, groups=GROUPS)
    return engine.start(script, **{"hosts": HOSTS, "hosts_of": inventory.hosts_of, **kwargs})


def rollout(*steps: Any, canary: Canary | None = None, **kwargs: Any) -> Any:
    values = {"validate": checks("proof.yml"), "hosts": ("web",), **kwargs}
    steps = steps or (step_of("fix"),)
    return solution_of("roll", steps=steps, canary=canary or Canary(1, "50%"), **values)


def limits(engine: Engine, playbook: str) -> list[str]:
    return [one.limit for one in engine.runner.requests if one.playbook == playbook]


def submit(*ladder: Any) -> Healing:
    return submitted(*ladder, context=CONTEXT)


async def test_the_faulty_host_first_then_in_batches(engine: Engine) -> None:
    """One host, proven on it, then half of all of them at a time, each proven."""
    healing = await engine.carry(start(engine), submit(rollout()))
    assert healing.outcome is Outcome.HEALED
    assert limits(engine, "fix.yml") == ["web3", "web1,web2,web4", "web5,web6"]
    assert limits(engine, "proof.yml") == limits(engine, "fix.yml")
    assert [(one.batch, one.outcome) for one in healing.attempts] == [
        (0, Outcome.HEALED),
        (1, Outcome.HEALED),
        (2, Outcome.HEALED),
    ]
    assert healing.reason.endswith("; rolled out on 6 hosts in 3 batches")


async def test_a_batch_that_fails_is_rolled_back_alone_and_stops_the_rollout(
    engine: Engine,
) -> None:
    """What was proven stays, what was not is undone there, the next rung is tried."""
    runtime = start(engine, {"fix.yml": [Reply(), FAILS]})
    healing = await engine.carry(
        runtime, submit(rollout(), solution_of("two", validate=checks("proof.yml")))
    )
    assert [one.outcome for one in healing.attempts] == [
        Outcome.HEALED,
        Outcome.ROLLED_BACK,
        Outcome.HEALED,
    ]
    assert limits(engine, "fix.undo.yml") == ["web1,web2,web4"]
    assert healing.outcome is Outcome.HEALED


async def test_steps_on_other_hosts_run_where_the_batch_has_some(engine: Engine) -> None:
    """A step's own limit is kept: it runs on the hosts that are in the batch as well."""
    steps = (step_of("drain", limit="lb"), step_of("fix", limit="web"))
    healing = await engine.carry(start(engine), submit(rollout(*steps, canary=Canary(1, "3"))))
    assert healing.outcome is Outcome.HEALED
    assert limits(engine, "drain.yml") == ["lb1"]
    assert limits(engine, "fix.yml") == ["web3", "web1,web2", "web4,web5,web6"]
    assert "none of its hosts is in this batch" in "\n".join(engine.told())


async def test_the_gate_is_asked_before_each_batch(engine: Engine) -> None:
    """`not now` holds the next batch up with the locks held; a skip ends the rollout."""
    gate = RuleGate(lambda healing, rung, stage: wait() if stage is Stage.BATCH else None)
    runtime, healing = start(engine, gate=gate), submit(rollout())
    await runtime.submit(healing)
    await engine.until(lambda: engine.record.healing(healing.id).waiting is not None, 10)
    assert limits(engine, "fix.yml") == ["web3"]
    assert engine.record.locks() != []
    gate.now(lambda *_: None)
    assert (await engine.carry_on(runtime, healing)).outcome is Outcome.HEALED
    skip = Refused(Refusal.LIMIT, "enough", Verdict.SKIP)
    gate.rule = lambda healing, rung, stage: skip if stage is Stage.BATCH else None
    stopped = await engine.carry(runtime, submit(rollout()))
    assert [one.outcome for one in stopped.attempts] == [Outcome.HEALED, Outcome.REFUSED]
    assert stopped.outcome is Outcome.FAILED, "a rollout that was not finished needs a human"


async def test_a_fault_that_is_gone_ends_a_proven_rollout_well(engine: Engine) -> None:
    """The faulty host was healed and proven: that the world agrees is no failure."""
    gone = Refused(Refusal.FAULT_GONE, "resolved", Verdict.STOP)
    gate = RuleGate(lambda healing, rung, stage: gone if stage is Stage.BATCH else None)
    healing = await engine.carry(start(engine, gate=gate), submit(rollout()))
    assert healing.outcome is Outcome.HEALED
    assert healing.reason.endswith("rolled out on one host in one batch")


async def test_the_pause_between_batches_survives_a_restart(engine: Engine) -> None:
    """The next batch comes the pause after the last proof, whoever is there then."""
    first = start(engine)
    healing = submit(rollout(canary=Canary(1, "100%", pause=60.0)))
    await first.submit(healing)
    await engine.until(lambda: bool(limits(engine, "proof.yml")), 5)
    await engine.clock.advance(30)
    await first.drain()
    assert engine.record.healing(healing.id).state is HealingState.RUNNING
    second = start(engine)
    await second.resume()
    await engine.clock.advance(20)
    assert engine.runner.playbooks == []
    ended = await engine.carry_on(second, healing, seconds=20)
    assert ended.outcome is Outcome.HEALED
    assert limits(engine, "fix.yml") == ["web1,web2,web4,web5,web6"]


async def test_without_a_host_nothing_is_run(engine: Engine) -> None:
    """A rollout over no host is refused, and never becomes one over all of them."""
    ladder = (rollout(hosts=("nobody",)), solution_of("two", validate=checks("proof.yml")))
    healing = await engine.carry(start(engine), submit(*ladder))
    first, _ = healing.attempts
    assert (first.outcome, first.steps) == (Outcome.REFUSED, ())
    assert first.reason == "empty_target: its steps mean no host of the inventory"


async def test_a_stop_between_batches_undoes_nothing_proven(engine: Engine) -> None:
    """The rollout ends where it is, and its reason says who stopped it."""
    runtime = start(engine)
    healing = submit(rollout(canary=Canary(1, "1", pause=60.0)))
    await runtime.submit(healing)
    await engine.until(lambda: bool(limits(engine, "proof.yml")), 5)
    await engine.clock.advance(5)
    await runtime.stop(healing.id, "alice")
    ended = await engine.carry_on(runtime, healing, seconds=5)
    assert (ended.outcome, len(ended.attempts)) == (Outcome.HEALED, 1)
    assert ended.reason.endswith("rolled out on one host in one batch, then stopped: alice")
    assert limits(engine, "fix.undo.yml") == []


async def test_check_mode_looks_at_all_hosts_at_once(engine: Engine) -> None:
    """Nothing can be proven in check mode, so there is nothing to wait for."""
    healing = submitted(rollout(), context=CONTEXT, origin="operator", options={"check": True})
    ended = await engine.carry(start(engine), healing)
    assert ended.outcome is Outcome.UNKNOWN
    assert limits(engine, "fix.yml") == ["web"]


class Inventory:
    """An inventory of one group that is edited meanwhile."""

    def __init__(self, *hosts: str) -> None:
        self.now = list(hosts)

    async def hosts(self, inventory: str = "") -> list[str]:
        return self.now

    async def hosts_of(self, pattern: str, inventory: str = "") -> list[str]:
        return [host for host in self.now if pattern in ("web", host)]

    def start(self, engine: Engine, script: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        functions = {"known_hosts": self.hosts, "hosts_of": self.hosts_of}
        return engine.start(script, **functions, **kwargs)


def locked(engine: Engine) -> list[str]:
    return [lock.resource for lock in engine.record.locks()]


async def test_all_hosts_are_locked_from_the_start_to_the_end(engine: Engine) -> None:
    """Nobody works on a host that a later batch will touch, nor in the pause before it; the gate
    is told of these locks before anything begins."""
    seen: list[tuple[str, ...]] = []

    def look(healing: Healing, rung: int, stage: Stage) -> None:
        seen.extend([healing.locks] if stage is Stage.START else [])

    runtime = start(engine, gate=RuleGate(look))
    healing = submit(rollout(canary=Canary(1, "100%", pause=60.0)))
    await runtime.submit(healing)
    await engine.until(lambda: bool(limits(engine, "proof.yml")), 5)
    hosts = [f"host:web{number}" for number in range(1, 7)]
    assert locked(engine) == [*hosts, "web1"]
    assert seen == [(*hosts, "web1")]
    other = submitted(solution_of("other", validate=()), locks=("host:web5",))
    await runtime.submit(other)
    await engine.clock.advance(20)
    assert locked(engine) == [*hosts, "web1"]
    assert engine.record.healing(other.id).state is HealingState.QUEUED
    await engine.carry_on(runtime, healing)
    await engine.carry_on(runtime, other)
    assert engine.runner.playbooks.index("other.yml") > 2


async def test_a_rollout_waits_for_each_of_its_hosts(engine: Engine) -> None:
    """It takes all or none: while one host is in other hands not even the first batch begins."""
    runtime = start(engine, {"other.yml": Reply(seconds=20)})
    await runtime.submit(submitted(solution_of("other", validate=()), locks=("host:web5",)))
    healing = submit(solution_of("first"), rollout())
    await runtime.submit(healing)
    await engine.until(lambda: engine.record.healing(healing.id).waiting is not None, 5)
    waiting = engine.record.healing(healing.id).waiting
    assert waiting is not None
    assert waiting.detail.startswith("host:web5 is held by"), "a later rung's hosts count as well"
    assert locked(engine) == ["host:web5"]
    await engine.carry_on(runtime, healing)
    assert engine.runner.playbooks[:2] == ["other.yml", "first.yml"]


async def test_hosts_are_looked_up_again_after_the_pause(engine: Engine) -> None:
    """What has left the inventory is left out, and so is what came too late to be locked: both
    are told, once."""
    inventory = Inventory("web1", "web2", "web3", "web4")
    runtime = inventory.start(engine)
    healing = submit(rollout(canary=Canary(1, "2", pause=60.0)))
    await runtime.submit(healing)
    await engine.until(lambda: bool(limits(engine, "proof.yml")), 5)
    await engine.clock.advance(30)
    inventory.now = ["web1", "web4", "web9"]
    ended = await engine.carry_on(runtime, healing, seconds=200)
    assert ended.outcome is Outcome.HEALED
    assert limits(engine, "fix.yml") == ["web3", "web1,web4"]
    assert [line for line in engine.told() if "left out" in line] == [
        "left out of the rollout: no longer in the inventory: web2; "
        "not in it when the locks were taken: web9"
    ]


async def test_a_wait_for_the_rails_is_a_pause_as_well(engine: Engine) -> None:
    """The hosts of a batch are those of the moment at which it begins."""
    inventory = Inventory("web3", "web4", "web5")
    gate = RuleGate(lambda healing, rung, stage: wait() if stage is Stage.BATCH else None)
    runtime, healing = inventory.start(engine, gate=gate), submit(rollout())
    await runtime.submit(healing)
    await engine.until(lambda: engine.record.healing(healing.id).waiting is not None, 10)
    inventory.now = ["web3", "web5"]
    gate.now(lambda *_: None)
    await engine.carry_on(runtime, healing)
    assert limits(engine, "fix.yml") == ["web3", "web5"]


async def test_hosts_that_cannot_be_told_are_neither_locked_nor_touched(engine: Engine) -> None:
    """A limit that an event made into no host locks nothing, and its rung is skipped."""
    evil = rollout(step_of("fix", limit="{{ fault.labels.host }}"))
    context = {**CONTEXT, "fault": {"labels": {"host": "all"}}}
    seen: list[tuple[str, ...]] = []
    gate = RuleGate(lambda healing, rung, stage: seen.append(healing.locks))
    healing = submitted(evil, solution_of("two", validate=()), context=context)
    ended = await engine.carry(start(engine, gate=gate), healing)
    assert seen[0] == ()
    assert [one.outcome for one in ended.attempts] == [Outcome.REFUSED, Outcome.UNKNOWN]
    assert "which is no host of the inventory" in ended.attempts[0].reason


async def test_a_resumed_rollout_keeps_its_locks(engine: Engine) -> None:
    """The next engine works on the hosts that the first one locked, and on no other."""
    inventory = Inventory("web3", "web4", "web5")
    first = inventory.start(engine)
    healing = submit(rollout(canary=Canary(1, "100%", pause=60.0)))
    await first.submit(healing)
    await engine.until(lambda: bool(limits(engine, "proof.yml")), 5)
    await engine.clock.advance(5)
    await first.drain()
    inventory.now = ["web3", "web5", "web6"]
    second = inventory.start(engine)
    await second.resume()
    await engine.carry_on(second, healing, seconds=100)
    assert limits(engine, "fix.yml") == ["web5"]
    assert any("no longer in the inventory: web4" in line for line in engine.told())
