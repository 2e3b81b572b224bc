"""SqliteRuntime on the real record, with a scripted runner and a clock that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfheal.clock import ManualClock
from selfheal.errors import StoreError
from selfheal.model import (
    Fault,
    Healing,
    HealingState,
    Kind,
    OnFailure,
    Outcome,
    PlaybookRequest,
    PlaybookResult,
    Refusal,
    Severity,
    Solution,
    Stage,
    StepKind,
    StepState,
    TaskResult,
    Validation,
    new_id,
)
from selfheal.ports import Record
from selfheal.recovery import MemoryRunner, SqliteRuntime
from selfheal.recovery.executors import FAILS, HANGS, Reply
from selfheal.recovery.story import Story
from selfheal.store import open_record

from .gates import HookGate, RuleGate, wait
from .nouns import healing_of, solution_of, step_of

NEVER = Validation("tcp", {"address": "127.0.0.1:1"}, within=0.0)
"""A validation that does not hold: nothing listens there."""


def checks(name: str) -> tuple[Validation, ...]:
    """Return a validation that runs the playbook `name` of the scripted runner."""
    return (Validation("playbook", {"name": name}, within=0.0, timeout=60.0),)


class Engine:
    """A runtime with everything around it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock()
        self.record = open_record(path)
        self.runner = MemoryRunner(clock=self.clock)
        self.done: list[Healing] = []
        self.runtimes: list[SqliteRuntime] = []

    def start(
        self, script: dict[str, Reply | Sequence[Reply]] | None = None, **kwargs: Any
    ) -> SqliteRuntime:
        hosts = kwargs.pop("hosts", ("web1",))
        self.runner = MemoryRunner(script, clock=self.clock, known_hosts=hosts)
        if ask := kwargs.pop("before_rung", None):
            kwargs["gate"] = HookGate(ask)
        options = {
            "on_done": self._note,
            "known_hosts": self.runner.hosts,
            "hosts_of": self.runner.hosts_of,
            "holder": "test",
            **kwargs,
        }
        runtime = SqliteRuntime(self.record, self.runner, clock=self.clock, **options)
        self.runtimes.append(runtime)
        return runtime

    async def _note(self, healing: Healing) -> None:
        self.done.append(healing)

    async def carry(self, runtime: SqliteRuntime, healing: Healing, seconds: float = 60) -> Healing:
        """Submit, let time pass, return the healing as it ended."""
        await runtime.submit(healing)
        return await self.carry_on(runtime, healing, seconds)

    async def carry_on(
        self, runtime: SqliteRuntime, healing: Healing, seconds: float = 60
    ) -> Healing:
        """Let time pass until the healing has ended; return it."""
        ending = asyncio.create_task(runtime.finished(healing.id))
        await self.until(ending.done, seconds)
        return ending.result()

    async def until(self, fact: Callable[[], bool], seconds: float = 60) -> None:
        """Let time pass in small steps until `fact` holds."""
        for _ in range(int(seconds * 4)):
            for _ in range(10):
                if fact():
                    return
                await asyncio.sleep(0.001)
            await self.clock.advance(0.25)
        pytest.fail(f"it did not happen within {seconds} s of the engine's time")

    def told(self, kind: Kind | None = None) -> list[str]:
        entries = self.record.entries()
        return [entry.text for entry in entries if kind in (None, entry.kind)]

    async def close(self) -> None:
        for runtime in self.runtimes:
            await runtime.abort()
        self.record.close()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path / "record.db")
    yield engine
    await engine.close()


def submitted(*ladder: Solution, **kwargs: Any) -> Healing:
    return healing_of(*ladder, **{"id": new_id("he"), **kwargs})


def open_fault(record: Record, target: str = "web1") -> Fault:
    fault = Fault(
        new_id("ft"),
        f"web/{target}",
        "connection_failure",
        Severity.ERROR,
        "web",
        target,
        "down",
        1.0,
        1.0,
    )
    return record.open_fault(fault)[0]


async def test_heals_at_the_first_rung(engine: Engine) -> None:
    """Steps run in order, the proof is recorded, the hook is told, the second rung never runs."""
    task = TaskResult("web1", "restart it", "command", "changed", 0.5)
    ladder = (
        solution_of("quick", steps=(step_of("a"), step_of("b")), validate=checks("proof.yml")),
        solution_of("second"),
    )
    runtime = engine.start({"a.yml": Reply(tasks=(task,))})
    healing = await engine.carry(runtime, submitted(*ladder))
    assert healing.outcome is Outcome.HEALED
    assert healing.reason == "quick: proven by playbook proof.yml: successful"
    assert engine.runner.playbooks == ["a.yml", "b.yml", "proof.yml"]
    (attempt,) = healing.attempts
    assert attempt.outcome is Outcome.HEALED
    assert [(run.kind, run.state) for run in attempt.steps] == [
        (StepKind.STEP, StepState.SUCCESSFUL),
        (StepKind.STEP, StepState.SUCCESSFUL),
        (StepKind.VALIDATION, StepState.SUCCESSFUL),
    ]
    assert engine.record.tasks(attempt.steps[0].ident) == [task]
    assert engine.done == [healing]


async def test_the_story_can_be_understood(engine: Engine) -> None:
    """The timeline tells, line by line, what happened and why."""
    task = TaskResult("web1", "restart it", "command", "failed", 0.5, "no such service")
    broken = Reply(StepState.FAILED, seconds=2, message="no such service", tasks=(task,))
    ladder = (
        solution_of("restart", validate=(NEVER,)),
        solution_of("failover", validate=checks("proof.yml")),
    )
    healing = await engine.carry(engine.start({"restart.yml": broken}), submitted(*ladder))
    assert engine.told() == [
        "accepted for web1: restart, then failover",
        "started on web1",
        "rung 1 of 2: restart (quick fix, risk low)",
        "step 1 (restart): running restart.yml",
        "web1: restart it: failed (0.5s): no such service",
        "step 1 (restart) failed after 2.0s: no such service",
        "rollback of step 1 (restart): running restart.undo.yml",
        "rollback of step 1 (restart) successful after 0.0s",
        "restart rolled back: step 'restart' failed: no such service; "
        "everything that ran was undone",
        "rung 2 of 2: failover (quick fix, risk low)",
        "step 1 (failover): running failover.yml",
        "step 1 (failover) successful after 0.0s",
        "validating by playbook, for at most 0.0s",
        "validation 1 (proof.yml): running proof.yml",
        "validation 1 (proof.yml) successful after 0.0s",
        "playbook proof.yml holds: successful",
        "failover healed: proven by playbook proof.yml: successful",
        "healed after 2.0s: failover: proven by playbook proof.yml: successful",
    ]
    assert {entry.healing_id for entry in engine.record.entries()} == {healing.id}


async def test_what_does_not_help_is_rolled_back_and_the_next_rung_heals(engine: Engine) -> None:
    """Rung 1 fails its validation: undone, newest first, with the same state folder; rung 2."""
    ladder = (
        solution_of("one", steps=(step_of("a"), step_of("b")), validate=(NEVER,)),
        solution_of("two", validate=checks("proof.yml")),
    )
    healing = await engine.carry(engine.start(), submitted(*ladder))
    assert healing.outcome is Outcome.HEALED
    assert [attempt.outcome for attempt in healing.attempts] == [
        Outcome.ROLLED_BACK,
        Outcome.HEALED,
    ]
    assert engine.runner.playbooks == [
        "a.yml", "b.yml", "b.undo.yml", "a.undo.yml", "two.yml", "proof.yml",
    ]  # fmt: skip
    places = [request.extra_vars.get("selfheal_state") for request in engine.runner.requests]
    assert places[:4] == [places[0], places[1], places[1], places[0]]
    assert len({*places[:2], places[4]}) == 3
    assert str(places[0]).endswith(f"/{healing.attempts[0].id}-0")


async def test_a_request_that_cannot_be_built_undoes_the_steps_before(engine: Engine) -> None:
    """An unexpected error on the way to a run (an inventory file vanished) is a failed step."""

    async def hosts(inventory: str) -> frozenset[str]:
        raise FileNotFoundError("inventory/.web.yml.swp")

    steps = (step_of("a"), step_of("b", limit="{{ target }}"))
    runtime = engine.start(known_hosts=hosts)
    healing = await engine.carry(runtime, submitted(solution_of("one", steps=steps)))
    assert healing.outcome is Outcome.ROLLED_BACK
    assert engine.runner.playbooks == ["a.yml", "a.undo.yml"]
    assert "can't be prepared: FileNotFoundError: inventory/.web.yml.swp" in healing.reason


async def test_what_breaks_while_another_proof_goes_on_is_no_proof(engine: Engine) -> None:
    """Of two validations the first holds, then breaks before the second holds: not healed."""
    slow = Validation("playbook", {"name": "slow.yml"}, within=10.0, interval=1.0, timeout=60.0)
    ladder = (solution_of("one", validate=(*checks("fast.yml"), slow)),)
    runtime = engine.start({"fast.yml": [Reply(), FAILS], "slow.yml": [FAILS, Reply()]})
    healing = await engine.carry(runtime, submitted(*ladder))
    assert healing.outcome is Outcome.ROLLED_BACK
    assert "playbook fast.yml: held, but not until the end" in healing.reason
    assert "slow.yml" not in healing.reason


async def test_several_proofs_hold_side_by_side(engine: Engine) -> None:
    """Each of several is looked at once more when all are proven; a single one is not."""
    ladder = (solution_of("one", validate=(*checks("a.yml"), *checks("b.yml"))),)
    healing = await engine.carry(engine.start(), submitted(*ladder))
    assert healing.outcome is Outcome.HEALED
    assert sorted(engine.runner.playbooks) == ["a.yml", "a.yml", "b.yml", "b.yml", "one.yml"]
    assert [result.tries for result in healing.attempts[0].validations or ()] == [2, 2]


async def test_a_failed_rollback_stops_everything(engine: Engine) -> None:
    """After a failed rollback no other rung runs and a human is called."""
    ladder = (solution_of("one"), solution_of("two"))
    runtime = engine.start({"one.yml": FAILS, "one.undo.yml": FAILS})
    healing = await engine.carry(runtime, submitted(*ladder))
    assert healing.outcome is Outcome.ROLLBACK_FAILED
    assert engine.runner.playbooks == ["one.yml", "one.undo.yml"]
    assert engine.done == [healing]


async def test_the_end_of_the_ladder(engine: Engine) -> None:
    """No rung helps: the outcome says what is left behind, the reason names the last try."""
    ladder = (solution_of("one", validate=(NEVER,)), solution_of("two", validate=(NEVER,)))
    healing = await engine.carry(engine.start(), submitted(*ladder))
    assert healing.outcome is Outcome.ROLLED_BACK
    assert healing.reason.startswith("no rung of the ladder helped; the last, two: it did not help")


async def test_without_validation_the_outcome_is_unknown(engine: Engine) -> None:
    """Nothing proven, no next rung, a human is told."""
    ladder = (solution_of("one", validate=()), solution_of("two"))
    healing = await engine.carry(engine.start(), submitted(*ladder))
    assert healing.outcome is Outcome.UNKNOWN
    assert engine.runner.playbooks == ["one.yml"]
    assert engine.done == [healing]


async def test_what_cannot_be_started_is_a_failure_with_nothing_to_undo(engine: Engine) -> None:
    """Ansible missing: the step says so, no rollback is tried, the next rung is."""
    ladder = (solution_of("one"), solution_of("two", validate=checks("proof.yml")))
    runtime = engine.start({"one.yml": Reply(error="Ansible is not installed")})
    healing = await engine.carry(runtime, submitted(*ladder))
    assert healing.outcome is Outcome.HEALED
    first = healing.attempts[0]
    assert (first.outcome, first.steps[0].message) == (Outcome.FAILED, "Ansible is not installed")
    assert "one.undo.yml" not in engine.runner.playbooks


async def test_a_step_that_hangs_is_ended_at_its_time_limit(engine: Engine) -> None:
    """The time limit is the step's; what hung is rolled back."""
    ladder = (solution_of("one", steps=(step_of("a", timeout=7.0),)),)
    healing = await engine.carry(engine.start({"a.yml": HANGS}), submitted(*ladder))
    assert healing.outcome is Outcome.ROLLED_BACK
    assert healing.attempts[0].steps[0].state is StepState.TIMEOUT
    assert engine.runner.playbooks == ["a.yml", "a.undo.yml"]


async def test_one_healing_at_a_time_for_one_resource(engine: Engine) -> None:
    """The second healing of a resource waits, another resource does not, oldest first."""
    slow = Reply(seconds=5)
    runtime = engine.start({"slow.yml": slow})
    ladder = solution_of("slow", validate=())
    first, second, third = (submitted(ladder) for _ in range(3))
    elsewhere = submitted(solution_of("quick", validate=()), resource="web2")
    for healing in (first, second, third, elsewhere):
        await runtime.submit(healing)

    def state(healing: Healing) -> HealingState:
        return engine.record.healing(healing.id).state

    await engine.until(lambda: state(elsewhere) is HealingState.DONE, 1)
    assert state(first) is HealingState.RUNNING
    assert [state(second), state(third)] == [HealingState.QUEUED] * 2
    assert f"waiting: web1 is held by {first.id} (test)" in engine.told()
    await engine.until(lambda: state(second) is HealingState.RUNNING, 10)
    assert [state(first), state(third)] == [HealingState.DONE, HealingState.QUEUED]
    await engine.until(lambda: state(third) is HealingState.DONE, 20)


async def test_no_more_healings_at_once_than_allowed(engine: Engine) -> None:
    """max_parallel=1: of two resources only one is worked on at a time."""
    running = peak = 0

    class Counting(MemoryRunner):
        async def run(self, request: PlaybookRequest, on_task: Any = None) -> Any:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            try:
                return await super().run(request, on_task)
            finally:
                running -= 1

    runner = Counting({"slow.yml": Reply(seconds=2)}, clock=engine.clock)
    runtime = SqliteRuntime(engine.record, runner, clock=engine.clock, max_parallel=1)
    engine.runtimes.append(runtime)
    healings = [
        submitted(solution_of("slow", validate=()), resource=name) for name in ("web1", "web2")
    ]
    for healing in healings:
        await runtime.submit(healing)
    await engine.until(lambda: all(engine.record.healing(h.id).outcome for h in healings), 20)
    assert peak == 1


async def test_a_storm_is_queued_and_worked_off_in_order(engine: Engine) -> None:
    """Of 60 healings only as many leave the queue as there are places; the oldest go first."""
    runtime = engine.start({"slow.yml": Reply(seconds=1)}, max_parallel=4)
    ladder = solution_of("slow", validate=())
    healings = [submitted(ladder, resource=f"web{number}") for number in range(60)]
    for healing in healings:
        await runtime.submit(healing)
    await engine.until(lambda: engine.runner.playbooks == ["slow.yml"] * 4, 1)
    assert len(engine.record.healings(limit=100, state="running")) == 4
    healings.append(submitted(ladder, resource="web60"))
    await runtime.submit(healings[-1])
    assert "waiting: all 4 places are taken" in engine.told()
    await engine.until(lambda: len(engine.done) == 61, 60)
    assert [h.id for h in engine.done[:4]] == [h.id for h in healings[:4]]
    assert {h.id for h in engine.done[-4:]} == {h.id for h in healings[-4:]}


async def test_the_same_fault_never_has_two_healings(engine: Engine) -> None:
    """A second healing of an open fault is refused by the record itself."""
    runtime = engine.start({"one.yml": HANGS})
    fault = open_fault(engine.record)
    first = submitted(solution_of("one"), fault_id=fault.id, incident_id=fault.incident_id)
    await runtime.submit(first)
    with pytest.raises(StoreError):
        await runtime.submit(replace(first, id=new_id("he")))


async def test_stop_ends_the_step_and_undoes_what_ran(engine: Engine) -> None:
    """A stop cancels the running step, rolls back, and tries nothing else."""
    runtime = engine.start({"b.yml": HANGS})
    ladder = (solution_of("one", steps=(step_of("a"), step_of("b"))), solution_of("two"))
    healing = submitted(*ladder)
    await runtime.submit(healing)
    await engine.until(lambda: "b.yml" in engine.runner.playbooks, 1)
    await runtime.stop(healing.id, "alice: wrong host")
    ended = await engine.carry_on(runtime, healing)
    assert ended.outcome is Outcome.ROLLED_BACK
    assert ended.reason == "one: stopped: alice: wrong host; everything that ran was undone"
    assert ended.attempts[0].steps[1].state is StepState.CANCELLED
    assert engine.runner.playbooks == ["a.yml", "b.yml", "b.undo.yml", "a.undo.yml"]
    await runtime.stop(healing.id, "again")  # one that has ended is left alone
    assert engine.record.healing(healing.id) == ended


async def test_a_stop_without_a_reason_ends_what_waits_for_a_decision(engine: Engine) -> None:
    """An empty reason stops as well as any other, and the decision is asked for once."""
    asked: list[int] = []

    async def never(healing: Healing, rung: int) -> Refusal | None:
        asked.append(rung)
        if len(asked) == 1:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return Refusal.FAULT_GONE

    runtime, healing = engine.start(before_rung=never), submitted(solution_of("one"))
    await runtime.submit(healing)
    await engine.until(lambda: asked == [0])
    await runtime.stop(healing.id, "")
    ended = await engine.carry_on(runtime, healing)
    assert (ended.outcome, ended.stop_requested) == (Outcome.DENIED, "stopped")
    assert asked == [0]


async def test_stop_asked_for_by_another_process(engine: Engine) -> None:
    """A message on the file, by another handle, is noticed and obeyed."""
    runtime = engine.start({"one.yml": HANGS})
    healing = submitted(solution_of("one"))
    await runtime.submit(healing)
    await engine.until(lambda: engine.runner.playbooks == ["one.yml"], 1)
    other = open_record(engine.path)
    other.request_stop(healing.id, "the CLI")
    other.close()
    ended = await engine.carry_on(runtime, healing)
    assert ended.outcome is Outcome.ROLLED_BACK
    assert "the CLI" in ended.reason


async def test_a_stop_asked_for_elsewhere_while_a_step_waits_for_its_place(engine: Engine) -> None:
    """One place, and two healings past the gate: the second is stopped before it had its turn."""
    gate = RuleGate(lambda healing, rung, stage: wait() if stage is Stage.RUNG else None)
    script = {"one.yml": Reply(seconds=10), "two.yml": Reply(seconds=10)}
    runtime = engine.start(dict(script), gate=gate, max_parallel=1, poll=3600.0)
    both = [submitted(solution_of(name), resource=name) for name in ("one", "two")]
    for healing in both:
        await runtime.submit(healing)
    await engine.until(
        lambda: len({one for one, _, stage in gate.asked if stage is Stage.RUNG}) == 2
    )
    gate.now(lambda healing, rung, stage: None)
    await engine.until(lambda: all(engine.record.healing(one.id).attempts for one in both))
    await engine.until(lambda: len(engine.runner.playbooks) == 1)
    [late] = [one for one in both if f"{one.resource}.yml" not in engine.runner.playbooks]
    engine.record.request_stop(late.id, "the CLI")
    await engine.until(lambda: engine.record.healing(late.id).outcome is not None)
    assert f"{late.resource}.yml" not in engine.runner.playbooks


async def test_stop_while_validating_and_while_waiting(engine: Engine) -> None:
    """A validation is given up; a queued healing ends without having run anything."""
    patient = Validation("event", {}, within=3600.0)
    runtime = engine.start()
    first, queued = submitted(solution_of("one", validate=(patient,))), submitted(solution_of("x"))
    await runtime.submit(first)
    await runtime.submit(queued)
    await engine.until(lambda: engine.told(Kind.VALIDATION) != [], 1)
    await runtime.stop(queued.id, "bob")
    await runtime.stop(first.id, "bob")
    assert (await engine.carry_on(runtime, queued)).outcome is Outcome.DENIED
    assert (await engine.carry_on(runtime, first)).outcome is Outcome.ROLLED_BACK
    assert "validation given up: somebody asked to stop" in engine.told()


async def test_a_stop_never_interrupts_a_rollback(engine: Engine) -> None:
    """A rollback under way is carried to its end."""
    runtime = engine.start({"one.yml": FAILS, "one.undo.yml": Reply(seconds=5)})
    healing = submitted(solution_of("one"))
    await runtime.submit(healing)
    await engine.until(lambda: "one.undo.yml" in engine.runner.playbooks, 1)
    await runtime.stop(healing.id, "impatient")
    ended = await engine.carry_on(runtime, healing)
    assert ended.outcome is Outcome.ROLLED_BACK
    assert ended.attempts[0].steps[1].state is StepState.SUCCESSFUL


async def test_a_refusal_ends_the_healing(engine: Engine) -> None:
    """Before the first rung nothing runs; before a later one the attempts so far decide."""

    def allow_below(limit: int, refusal: Refusal) -> Callable[..., Awaitable[Refusal | None]]:
        async def hook(healing: Healing, rung: int) -> Refusal | None:
            return refusal if rung >= limit else None

        return hook

    ladder = (solution_of("one", validate=(NEVER,)), solution_of("two"))
    runtime = engine.start(before_rung=allow_below(0, Refusal.APPROVAL_REQUIRED))
    healing = await engine.carry(runtime, submitted(*ladder))
    assert (healing.outcome, healing.attempts) == (Outcome.REFUSED, ())
    assert healing.reason == "rung 1 (one) was refused: approval_required"
    runtime = engine.start(before_rung=allow_below(1, Refusal.APPROVAL_REQUIRED))
    healing = await engine.carry(runtime, submitted(*ladder))
    assert healing.outcome is Outcome.ROLLED_BACK
    runtime = engine.start(before_rung=allow_below(1, Refusal.FAULT_GONE))
    healing = await engine.carry(runtime, submitted(*ladder))
    assert healing.outcome is Outcome.REFUSED


async def test_waiting_for_a_decision_takes_no_place_and_can_be_stopped(engine: Engine) -> None:
    """A healing that waits for a human holds its resource, but no place; a stop ends the wait."""

    async def ask(healing: Healing, rung: int) -> Refusal | None:
        if healing.resource == "web1":
            await asyncio.Event().wait()
        return None

    runtime = engine.start(before_rung=ask, max_parallel=1)
    waiting = submitted(solution_of("one"))
    await runtime.submit(waiting)
    other = await engine.carry(runtime, submitted(solution_of("two", validate=()), resource="web2"))
    assert other.outcome is Outcome.UNKNOWN
    await runtime.stop(waiting.id, "no")
    assert (await engine.carry_on(runtime, waiting)).outcome is Outcome.DENIED


async def test_drain_finishes_the_attempt_and_hands_on_the_rest(engine: Engine) -> None:
    """What began is carried to its end; no new rung; the next engine goes on from the record."""
    proof = checks("proof.yml")
    ladder = (solution_of("one", validate=(NEVER,)), solution_of("two", validate=proof))
    first = engine.start({"one.yml": Reply(seconds=5)})
    running, queued = submitted(*ladder), submitted(solution_of("q", validate=proof))
    await first.submit(running)
    await first.submit(queued)
    await engine.until(lambda: engine.runner.playbooks == ["one.yml"], 1)
    draining = asyncio.create_task(first.drain())
    await engine.until(draining.done, 20)
    left = engine.record.healing(running.id)
    assert left.state is HealingState.RUNNING
    assert [attempt.outcome for attempt in left.attempts] == [Outcome.ROLLED_BACK]
    assert engine.record.healing(queued.id).state is HealingState.QUEUED
    second = engine.start()
    await second.resume()
    await engine.until(lambda: len(engine.done) == 2, 20)
    assert [healing.outcome for healing in engine.done] == [Outcome.HEALED] * 2
    assert engine.runner.playbooks == ["two.yml", "proof.yml", "q.yml", "proof.yml"]


async def test_an_unfinished_step_of_a_dead_engine_is_unknown(engine: Engine) -> None:
    """After abort (as after a crash) the step's end is unknown: it is not run again but proven."""
    first = engine.start({"one.yml": HANGS})
    healing = submitted(solution_of("one", validate=checks("proof.yml")))
    await first.submit(healing)
    await engine.until(lambda: engine.runner.playbooks == ["one.yml"], 1)
    await first.abort()
    assert engine.record.healing(healing.id).attempts[0].steps[0].state is StepState.RUNNING
    second = engine.start()
    await second.resume()
    ended = await engine.carry_on(second, healing)
    assert ended.outcome is Outcome.HEALED
    assert ended.attempts[0].steps[0].state is StepState.UNKNOWN
    assert engine.runner.playbooks == ["proof.yml"]


async def test_abort_before_anything_began_leaves_nothing_to_wait_for(engine: Engine) -> None:
    """A healing that was aborted in the moment of its start does not hold up the drain."""
    runtime = engine.start()
    await runtime.submit(submitted(solution_of("one")))
    await runtime.abort()
    await asyncio.wait_for(runtime.drain(), 5)
    assert engine.runner.requests == []


async def test_one_broken_healing_does_not_touch_another(engine: Engine) -> None:
    """An exception inside the engine ends that healing with its reason, and the human is told."""

    async def ask(healing: Healing, rung: int) -> Refusal | None:
        if healing.resource == "web1":
            raise RuntimeError("the decision is broken")
        return None

    runtime = engine.start(before_rung=ask)
    broken = submitted(solution_of("one"))
    await runtime.submit(broken)
    fine = await engine.carry(
        runtime, submitted(solution_of("two", validate=checks("p.yml")), resource="web2")
    )
    assert fine.outcome is Outcome.HEALED
    ended = await engine.carry_on(runtime, broken)
    assert ended.outcome is Outcome.FAILED
    assert ended.reason == "the engine failed: RuntimeError: the decision is broken"
    assert ended in engine.done


async def test_a_step_of_a_broken_healing_does_not_run_for_ever(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody knows how its run ended, its end is unknown on record."""
    end_step, failures = engine.record.end_step, [RuntimeError("the engine is wrong")]

    def fails_once(result: PlaybookResult) -> None:
        if failures:
            raise failures.pop()
        end_step(result)

    monkeypatch.setattr(engine.record, "end_step", fails_once)
    ended = await engine.carry(engine.start(), submitted(solution_of("one")))
    assert ended.outcome is Outcome.UNKNOWN
    steps = [step.state for attempt in ended.attempts for step in attempt.steps]
    assert steps == [StepState.UNKNOWN]


async def test_a_start_the_record_could_not_take_whole_is_made_later(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record fails between a healing's start and its story: it stays queued, then heals."""
    started, failures = Story.started, [StoreError("database is locked")]

    def fails_once(story: Story) -> None:
        if failures:
            raise failures.pop()
        started(story)

    monkeypatch.setattr(Story, "started", fails_once)
    runtime, healing = engine.start(), submitted(solution_of("one", validate=checks("p.yml")))
    await runtime.submit(healing)
    await engine.until(lambda: not failures, 1)
    assert engine.record.healing(healing.id).state is HealingState.QUEUED
    ended = await engine.carry_on(runtime, healing)
    assert ended.outcome is Outcome.HEALED
    assert engine.told().count("started on web1") == 1


async def test_a_broken_healing_ends_when_the_record_can_be_written_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when a broken healing ends: a human is told, its resource is freed later."""

    async def breaks(healing: Healing, rung: int) -> Refusal | None:
        if healing.id == broken.id:
            raise RuntimeError("the decision is broken")
        return None

    def full(*args: Any) -> None:
        raise StoreError("the disk is full")

    broken = submitted(solution_of("one"))
    runtime = engine.start(before_rung=breaks)
    with monkeypatch.context() as patch:
        patch.setattr(engine.record, "end_healing", full)
        await runtime.submit(broken)
        await engine.until(lambda: engine.done != [])
        await engine.clock.advance(5)
        assert engine.record.healing(broken.id).state is HealingState.RUNNING
    ended = await engine.carry_on(runtime, broken)
    assert ended.reason == "the engine failed: RuntimeError: the decision is broken"
    after = submitted(solution_of("two", validate=checks("p.yml")))
    assert (await engine.carry(runtime, after)).outcome is Outcome.HEALED
    assert [healing.id for healing in engine.done] == [broken.id, after.id]


async def test_a_hook_that_fails_is_on_record(engine: Engine) -> None:
    """When the end can't be passed on, the timeline says so."""

    async def fail(healing: Healing) -> None:
        raise OSError("no network")

    runtime = engine.start(on_done=fail)
    healing = await engine.carry(runtime, submitted(solution_of("one", validate=())))
    assert healing.outcome is Outcome.UNKNOWN
    assert engine.told(Kind.NOTIFICATION) == [
        "the end of the healing could not be passed on: OSError: no network"
    ]


async def test_the_event_validation_waits_for_the_resolving_event(engine: Engine) -> None:
    """The recovery is proven when the record says that the fault is resolved."""
    fault = open_fault(engine.record)
    ladder = (solution_of("one", validate=(Validation("event", {}, within=30.0),)),)
    healing = submitted(*ladder, fault_id=fault.id, incident_id=fault.incident_id)
    runtime = engine.start()
    await runtime.submit(healing)
    await engine.until(lambda: engine.told(Kind.VALIDATION) != [], 1)
    await engine.clock.advance(5)
    assert engine.record.healing(healing.id).outcome is None
    engine.record.resolve_faults("web", "web1", engine.clock.now())
    ended = await engine.carry_on(runtime, healing)
    assert ended.outcome is Outcome.HEALED
    assert ended.reason == "one: proven by event: the fault is resolved"


async def test_variables_and_hosts_of_a_step(engine: Engine) -> None:
    """Vars are rendered over the healing's context; the limit is the step's or the solution's."""
    steps = (
        step_of("a", vars={"service": "{{ component }}", "n": 3, "try": "{{ attempt.number }}"}),
        step_of("b", limit="{{ target }}"),
        step_of("c", limit="lb:!old"),
    )
    ladder = (solution_of("one", steps=steps, hosts=("web", "db"), validate=()),)
    await engine.carry(engine.start(), submitted(*ladder))
    a, b, c = engine.runner.requests
    assert dict(a.extra_vars) | {"selfheal_state": ""} == {
        "target": "web1", "component": "web", "fault": {},
        "service": "web", "n": 3, "try": 1, "selfheal_state": "",
    }  # fmt: skip
    assert [a.limit, b.limit, c.limit] == ["web,db", "web1", "lb:!old"]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"limit": "{{ target }}"}, "which is no host of the inventory"),
        ({"vars": {"ansible_host": "{{ target }}"}}, "ansible_host says how to connect"),
        ({"vars": {"x": "{{ nothing }}"}}, "'nothing' is undefined"),
    ],
)
@pytest.mark.parametrize("target", ["all", "web1:db1", "!web1", "*", "@/etc/passwd"])
async def test_a_hostile_event_chooses_no_hosts_and_no_connection(
    engine: Engine, step: dict[str, Any], message: str, target: str
) -> None:
    """A limit that is no known host, or a templated connection variable: refused, nothing runs."""
    ladder = (solution_of("one", steps=(step_of("a", **step),)),)
    context = {"target": target, "component": "web", "fault": {}, "event": {}, "vars": {}}
    healing = await engine.carry(engine.start(), submitted(*ladder, context=context))
    assert healing.outcome is Outcome.FAILED
    assert message in healing.attempts[0].steps[0].message
    assert engine.runner.requests == []


async def test_by_hand_in_check_mode(engine: Engine) -> None:
    """An operator's options reach the playbook; check mode proves and undoes nothing."""
    options = {
        "check": True, "diff": True, "from_step": 2, "limit": "web*", "inventory": "staging",
        "extra_vars": {"service": "other", "ansible_user": "me"},
    }  # fmt: skip
    steps = (step_of("a"), step_of("b", vars={"service": "web"}))
    ladder = (solution_of("one", steps=steps, validate=(NEVER,)),)
    runtime = engine.start()
    healing = await engine.carry(runtime, submitted(*ladder, origin="operator", options=options))
    assert (healing.outcome, healing.reason) == (Outcome.UNKNOWN, "one: check mode")
    (request,) = engine.runner.requests
    assert (request.playbook, request.limit, request.inventory) == ("b.yml", "web*", "staging")
    assert request.check
    assert request.diff
    assert request.extra_vars["service"] == "other"
    assert request.extra_vars["ansible_user"] == "me"


async def test_a_validation_playbook_that_hangs_is_given_up(engine: Engine) -> None:
    """Its try is ended at its time limit, and its run does not stay open in the record."""
    hanging = Validation("playbook", {"name": "proof.yml"}, within=3.0, timeout=2.0)
    runtime = engine.start({"proof.yml": HANGS})
    healing = await engine.carry(runtime, submitted(solution_of("one", validate=(hanging,))))
    assert healing.outcome is Outcome.ROLLED_BACK
    runs = [run for run in healing.attempts[0].steps if run.kind is StepKind.VALIDATION]
    assert [run.state for run in runs] == [StepState.CANCELLED] * len(runs) != []


async def test_the_example_of_the_docs_page() -> None:
    """What `docs/recovery.md` shows is true."""
    healing = healing_of(solution_of("restart"), solution_of("failover", validate=()))
    page = (Path(__file__).parents[2] / "docs" / "recovery.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    body = "".join(f"    {line}\n" for line in example.splitlines())
    names: dict[str, Any] = {
        "FAILS": FAILS,
        "MemoryRunner": MemoryRunner,
        "SqliteRuntime": SqliteRuntime,
        "open_record": open_record,
        "healing": healing,
    }
    exec(f"async def example():\n{body}    return runtime, ended", names)  # noqa: S102  # our own page
    runtime, ended = await names["example"]()
    assert ended.outcome is Outcome.UNKNOWN
    await runtime.drain()


async def test_abort_policy_leaves_everything_as_it_is(engine: Engine) -> None:
    """`on_failure: abort` runs no rollback and no other rung."""
    steps = (step_of("a"), step_of("b", on_failure=OnFailure.ABORT))
    ladder = (solution_of("one", steps=steps), solution_of("two"))
    healing = await engine.carry(engine.start({"b.yml": FAILS}), submitted(*ladder))
    assert (healing.outcome, healing.reason) == (Outcome.FAILED, "one: step 'b' failed: it failed")
    assert engine.runner.playbooks == ["a.yml", "b.yml"]
