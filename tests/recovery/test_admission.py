"""Which queued healing begins: what the gate says, when it is asked again, and the locks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from selfheal.model import (
    Healing,
    HealingState,
    Kind,
    Outcome,
    Refusal,
    Refused,
    Stage,
    Verdict,
    Waiting,
)
from selfheal.ports import Lease
from selfheal.recovery.executors import FAILS, HANGS, Reply

from .gates import RuleGate, wait
from .nouns import solution_of, step_of
from .test_runtime import NEVER, Engine, checks, submitted

PROOF = checks("proof.yml")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path / "record.db")
    yield engine
    await engine.close()


def state(engine: Engine, healing: Healing) -> HealingState:
    return engine.record.healing(healing.id).state


def waits_for(engine: Engine, healing: Healing) -> Waiting | None:
    return engine.record.healing(healing.id).waiting


async def test_not_now_keeps_it_queued_without_locks(engine: Engine) -> None:
    """It waits with its reason on record, is asked again in time, and then heals."""
    opens_at = engine.clock.now() + 30
    gate = RuleGate(lambda *_: wait(opens_at) if engine.clock.now() < opens_at else None)
    runtime, healing = engine.start(gate=gate), submitted(solution_of("one", validate=PROOF))
    await runtime.submit(healing)
    await engine.until(lambda: waits_for(engine, healing) is not None, 1)
    since = engine.clock.now()
    await engine.clock.advance(20)
    assert waits_for(engine, healing) == Waiting(Refusal.PAUSED, "not now", since, opens_at)
    assert state(engine, healing) is HealingState.QUEUED
    assert engine.record.locks() == []
    assert len(gate.asked) == 1, "it is not asked before its time"
    ended = await engine.carry_on(runtime, healing)
    assert (ended.outcome, ended.waiting) == (Outcome.HEALED, None)
    assert engine.told(Kind.HEALING).count("waiting: not now") == 1
    assert [stage for _, _, stage in gate.asked] == [Stage.START, Stage.START, Stage.RUNG]


async def test_a_change_of_the_gate_is_noticed_at_once(engine: Engine) -> None:
    """Without a time to ask again, `changed` ends the wait; the fault is gone: nothing is run."""
    gone = Refused(Refusal.FAULT_GONE, "resolved", Verdict.STOP)
    gate = RuleGate(lambda *_: wait())
    runtime, healing = engine.start(gate=gate), submitted(solution_of("one"))
    await runtime.submit(healing)
    await engine.until(lambda: waits_for(engine, healing) is not None, 1)
    gate.now(lambda *_: gone)
    ended = await engine.carry_on(runtime, healing, seconds=2)
    assert (ended.outcome, ended.reason) == (
        Outcome.REFUSED,
        "rung 1 (one) was refused: fault_gone: resolved",
    )
    assert engine.runner.requests == []
    assert engine.done == [ended]


async def test_what_holds_for_everybody_is_asked_once(engine: Engine) -> None:
    """Of 2,000 healings one is asked about; all begin when it is over, the oldest first."""
    gate = RuleGate(lambda *_: wait(everybody=True))
    runtime = engine.start(gate=gate, max_parallel=4)
    ladder = solution_of("one", validate=())
    healings = [submitted(ladder, resource=f"web{number}") for number in range(2000)]
    with engine.record.transaction():
        for healing in healings:
            engine.record.add_healing(healing)
    await runtime.resume()
    await engine.until(lambda: gate.asked != [], 1)
    await engine.clock.advance(30)
    assert {healing_id for healing_id, _, _ in gate.asked} == {healings[0].id}
    late = submitted(ladder, resource="late")
    await runtime.submit(late)
    waiting = waits_for(engine, late)
    assert waiting is not None
    assert waiting.reason is Refusal.PAUSED, "who comes meanwhile waits for the same"
    for healing in healings[100:]:
        engine.record.end_healing(healing.id, Outcome.REFUSED, "enough", 0.0)
    gate.now(lambda *_: None)
    await engine.until(lambda: len(engine.done) == 101, 60)
    begun = [healing.id for healing in engine.done]
    assert begun[:4] == [healing.id for healing in healings[:4]]
    assert begun[-1] == late.id


async def test_one_that_waits_holds_up_no_other(engine: Engine) -> None:
    """Thousands wait, each for itself: a change asks each once, and the loop is never blocked."""
    target = 1000

    def only_the_last(healing: Healing, rung: int, stage: Stage) -> Refused | None:
        return None if healing.resource == f"web{target}" else wait()

    gate = RuleGate(only_the_last)
    runtime = engine.start(gate=gate)
    healings = [
        submitted(solution_of("one", validate=()), resource=f"web{number}")
        for number in range(target + 1)
    ]
    with engine.record.transaction():
        for healing in healings:
            engine.record.add_healing(healing)
    turns = 0

    async def somebody_else() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(somebody_else())
    await runtime.resume()
    await engine.until(lambda: len(engine.done) == 1, 60)
    other.cancel()
    assert engine.done[0].id == healings[-1].id
    assert turns > target
    starts = [healing_id for healing_id, _, stage in gate.asked if stage is Stage.START]
    assert len(starts) <= 2 * (target + 1), "once in its turn, once when the last had ended"


async def test_a_skipped_solution_leaves_its_reason(engine: Engine) -> None:
    """SKIP is an attempt that was refused, without steps; the next rung is run."""
    skip = Refused(Refusal.BREAKER_OPEN, "3 of 3 failed", Verdict.SKIP)
    for stage in (Stage.START, Stage.RUNG):

        def rule(healing: Healing, rung: int, asked: Stage, stage: Stage = stage) -> Refused | None:
            return skip if rung == 0 and asked is stage else None

        runtime = engine.start(gate=RuleGate(rule))
        ladder = (solution_of("one"), solution_of("two", validate=PROOF))
        healing = await engine.carry(runtime, submitted(*ladder))
        first, second = healing.attempts
        assert (first.outcome, first.steps) == (Outcome.REFUSED, ())
        assert first.reason == "breaker_open: 3 of 3 failed"
        assert second.outcome is healing.outcome is Outcome.HEALED
        assert "one.yml" not in engine.runner.playbooks


async def test_when_every_rung_is_skipped_nothing_was_run(engine: Engine) -> None:
    """The outcome is refused, with the last reason."""
    skip = Refused(Refusal.LIMIT, "2 of 2", Verdict.SKIP)
    runtime = engine.start(gate=RuleGate(lambda *_: skip))
    healing = await engine.carry(runtime, submitted(solution_of("one"), solution_of("two")))
    assert healing.outcome is Outcome.REFUSED
    assert healing.reason == "no rung of the ladder helped; the last, two: limit: 2 of 2"
    assert len(healing.attempts) == 2


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (Refusal.DENIED, Outcome.DENIED),
        (Refusal.EXPIRED, Outcome.EXPIRED),
        (Refusal.PAUSED, Outcome.ROLLED_BACK),
    ],
)
async def test_a_stop_at_a_later_rung(engine: Engine, reason: Refusal, outcome: Outcome) -> None:
    """A human's no is the outcome; else what the earlier rungs came to."""
    stop = Refused(reason, "no", Verdict.STOP)
    gate = RuleGate(lambda healing, rung, stage: stop if rung else None)
    ladder = (solution_of("one", validate=(NEVER,)), solution_of("two"))
    healing = await engine.carry(engine.start(gate=gate), submitted(*ladder))
    assert (healing.outcome, len(healing.attempts)) == (outcome, 1)


async def test_waiting_in_the_middle_keeps_the_locks_and_takes_no_place(engine: Engine) -> None:
    """Between two rungs `not now` is waited for; others get the place, not the resource."""
    gate = RuleGate(lambda healing, rung, stage: wait() if rung else None)
    runtime = engine.start({"one.yml": FAILS}, gate=gate, max_parallel=1)
    healing = submitted(solution_of("one"), solution_of("two", validate=PROOF))
    await runtime.submit(healing)
    await engine.until(lambda: waits_for(engine, healing) is not None, 5)
    assert [lock.resource for lock in engine.record.locks()] == ["web1"]
    other = submitted(solution_of("three", validate=PROOF), resource="web2")
    assert (await engine.carry(runtime, other)).outcome is Outcome.HEALED
    same = submitted(solution_of("three", validate=PROOF))
    await runtime.submit(same)
    await engine.until(lambda: waits_for(engine, same) is not None, 5)
    assert waits_for(engine, same) == replace(
        waits_for(engine, same) or Waiting(Refusal.LOCKED, "", 0.0),
        reason=Refusal.LOCKED,
        detail=f"web1 is held by {healing.id} (test)",
    )
    gate.now(lambda *_: None)
    assert (await engine.carry_on(runtime, healing)).outcome is Outcome.HEALED
    assert (await engine.carry_on(runtime, same)).outcome is Outcome.HEALED
    assert engine.record.locks() == []


async def test_a_fault_that_is_gone_ends_the_wait_for_a_human(engine: Engine) -> None:
    """While a human is asked the rails still count: the question is withdrawn."""

    class Asks(RuleGate):
        withdrawn = False

        async def consent(self, healing: Healing, rung: int) -> Refused | None:
            try:
                await asyncio.Event().wait()
            finally:
                self.withdrawn = True
            return None

    gate = Asks()
    runtime, healing = engine.start(gate=gate), submitted(solution_of("one"))
    await runtime.submit(healing)
    await engine.until(lambda: waits_for(engine, healing) is not None, 5)
    waiting = waits_for(engine, healing)
    assert waiting is not None
    assert waiting.reason is Refusal.APPROVAL_REQUIRED
    gate.now(lambda *_: Refused(Refusal.FAULT_GONE, "resolved", Verdict.STOP))
    ended = await engine.carry_on(runtime, healing, seconds=2)
    assert (ended.outcome, gate.withdrawn) == (Outcome.REFUSED, True)


async def test_a_gate_that_fails_over_one_healing_holds_up_no_other(engine: Engine) -> None:
    """Its healing ends with the reason; the one behind it heals."""

    def broken(healing: Healing, rung: int, stage: Stage) -> Refused | None:
        if healing.resource == "web1":
            raise RuntimeError("a rail is broken")
        return None

    runtime, first = engine.start(gate=RuleGate(broken)), submitted(solution_of("one"))
    await runtime.submit(first)
    second = submitted(solution_of("two", validate=PROOF), resource="web2")
    assert (await engine.carry(runtime, second)).outcome is Outcome.HEALED
    ended = await engine.carry_on(runtime, first)
    assert ended.reason == "the engine failed: RuntimeError: a rail is broken"


async def test_what_another_process_holds_is_waited_for(engine: Engine) -> None:
    """A lock of a run by hand keeps the engine off; it is noticed when it is freed."""
    runtime, healing = engine.start(), submitted(solution_of("one", validate=PROOF))
    by_hand = submitted(solution_of("x"), origin="operator")
    engine.record.add_healing(by_hand)
    assert engine.record.start_healing(by_hand.id, 0.0, Lease("by hand 7 (alice)", 60.0))
    await runtime.submit(healing)
    await engine.until(lambda: waits_for(engine, healing) is not None, 5)
    assert f"waiting: web1 is held by {by_hand.id} (by hand 7 (alice))" in engine.told()
    await engine.clock.advance(300)
    assert state(engine, healing) is HealingState.QUEUED, "an expired lease is still a lease"
    engine.record.end_healing(by_hand.id, Outcome.HEALED, "", 0.0)
    assert (await engine.carry_on(runtime, healing)).outcome is Outcome.HEALED


async def test_who_is_let_in_elsewhere_meanwhile_is_counted(engine: Engine) -> None:
    """Between the gate's yes and the start another process takes the last place: the yes is void,
    the gate is asked anew, and of the two one runs."""
    by_hand = submitted(solution_of("x"), origin="operator", resource="web2")

    def last_place(healing: Healing, rung: int, stage: Stage) -> Refused | None:
        if stage is not Stage.START:
            return None
        taken = engine.record.let_in()
        if not gate.asked[1:]:  # right after the rails have looked
            engine.record.add_healing(by_hand)
            engine.record.admit(by_hand.id, "x", ["web2"], 0.0)
        return wait(reason=Refusal.LIMIT) if taken else None

    gate = RuleGate(last_place)
    runtime, healing = engine.start(gate=gate), submitted(solution_of("one", validate=PROOF))
    await runtime.submit(healing)
    await engine.until(lambda: waits_for(engine, healing) is not None, 5)
    assert state(engine, healing) is HealingState.QUEUED
    assert engine.record.locks() == []
    assert len(gate.asked) == 2
    engine.record.end_healing(by_hand.id, Outcome.HEALED, "", 0.0)
    gate.changed.set()
    assert (await engine.carry_on(runtime, healing)).outcome is Outcome.HEALED


async def test_what_is_planned_anew_while_it_is_asked_about_is_asked_anew(engine: Engine) -> None:
    """Rulebooks are reloaded between the question and the start: what is begun, and locked, is
    what was allowed."""
    asked: list[tuple[str, ...]] = []

    def reload(healing: Healing, rung: int, stage: Stage) -> None:
        asked.append((*(one.name for one in healing.ladder), *healing.locks))
        if len(asked) == 1:
            engine.record.replace_ladder(healing.id, (solution_of("new"),), ("host:new",))

    runtime = engine.start({"new.yml": Reply(seconds=5)}, gate=RuleGate(reload))
    await runtime.submit(submitted(solution_of("old"), locks=("host:old",)))
    await engine.until(lambda: bool(engine.runner.playbooks), 5)
    assert engine.runner.playbooks == ["new.yml"]
    assert asked[:2] == [("old", "host:old"), ("new", "host:new")]
    assert [lock.resource for lock in engine.record.locks()] == ["host:new"]


async def test_locks_taken_from_a_dead_engine_are_waited_for(engine: Engine) -> None:
    """A healing that goes on after a crash does nothing while another has its resource."""
    first = engine.start({"one.yml": HANGS})
    healing = submitted(solution_of("one", steps=(step_of("one", idempotent=True),)))
    await first.submit(healing)
    await engine.until(lambda: engine.runner.playbooks == ["one.yml"], 1)
    await first.abort()
    thief = submitted(solution_of("x"), origin="operator")
    engine.record.add_healing(thief)
    dead = Lease("by hand", 60.0, is_dead=lambda lock: lock.holder == "test")
    assert engine.record.start_healing(thief.id, 0.0, dead)
    second = engine.start({"one.yml": Reply()})
    await second.resume()
    await engine.until(lambda: waits_for(engine, healing) is not None, 5)
    await engine.clock.advance(30)
    assert engine.runner.playbooks == []
    engine.record.end_healing(thief.id, Outcome.HEALED, "", 0.0)
    await engine.until(lambda: "one.yml" in engine.runner.playbooks, 5)


async def test_the_lease_is_renewed(engine: Engine) -> None:
    """While a healing runs its locks do not expire."""
    runtime = engine.start({"one.yml": Reply(seconds=300)}, lease=30.0)
    await runtime.submit(submitted(solution_of("one", steps=(step_of("one", timeout=600.0),))))
    await engine.until(lambda: engine.record.locks() != [], 1)
    for _ in range(20):
        await engine.clock.advance(10)
        (lock,) = engine.record.locks()
        assert lock.expires_at > engine.clock.now()


async def test_what_is_queued_and_refused_costs_no_sync(engine: Engine) -> None:
    """Nothing of it was done in the world: a storm that the rails refuse waits for no disk."""
    gate = RuleGate(lambda *_: Refused(Refusal.LIMIT, "40 in 1h", Verdict.STOP))
    runtime, healing = engine.start(gate=gate), submitted(solution_of("one"))
    syncs: list[str] = []
    engine.record._db.raw.set_trace_callback(
        lambda sql: syncs.append(sql) if sql == "PRAGMA synchronous = FULL" else None
    )
    with engine.record.transaction(durable=False):
        engine.record.tell(Kind.ENGINE, "from here on")
    await runtime.submit(healing)
    ended = await engine.carry_on(runtime, healing, seconds=2)
    assert ended.outcome is Outcome.REFUSED
    assert syncs == []
