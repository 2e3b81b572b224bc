"""Random healings under random stops, crashes, full disks and answers: no promise is broken."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from selfheal.clock import ManualClock
from selfheal.errors import StoreError
from selfheal.model import (
    Attempt,
    Canary,
    Healing,
    HealingState,
    OnFailure,
    Outcome,
    Solution,
    StepKind,
    StepState,
    Validation,
)
from selfheal.recovery import SqliteRuntime, asking
from selfheal.recovery.executors import FAILS, HANGS, Reply
from selfheal.store import open_record

from .faulty import Disk
from .nouns import healing_of, solution_of, step_of
from .world import FickleGate, Ran, World, inline_executor

GOOD, SLOW = Reply(), Reply(seconds=3)
BROKEN = Reply(error="it can't be started")
STEP_REPLIES = st.lists(
    st.sampled_from([GOOD, SLOW, SLOW, SLOW, SLOW, FAILS, HANGS, BROKEN]), min_size=1, max_size=2
)
UNDO_REPLIES = st.lists(st.sampled_from([GOOD, SLOW, SLOW, SLOW, FAILS]), min_size=1, max_size=1)
PROOF_REPLIES = st.lists(st.sampled_from([GOOD, GOOD, SLOW, FAILS]), min_size=1, max_size=3)
STEPS = st.fixed_dictionaries(
    {
        "undo": st.booleans(),
        "on_failure": st.sampled_from(
            [OnFailure.ROLLBACK, OnFailure.ROLLBACK, OnFailure.CONTINUE, OnFailure.ABORT]
        ),
        "idempotent": st.booleans(),
        "replies": STEP_REPLIES,
        "undo_replies": UNDO_REPLIES,
    }
)
RUNGS = st.fixed_dictionaries(
    {
        "steps": st.lists(STEPS, min_size=1, max_size=3),
        "proofs": st.lists(PROOF_REPLIES, min_size=0, max_size=2),
        "canary": st.sampled_from([None, None, Canary(1, "50%", 2.0), Canary(2, "1")]),
    }
)
LOCKS = st.sets(st.sampled_from(["host:a", "host:b", "haproxy:web"]), min_size=1, max_size=2)
SECONDS = st.sampled_from([0.0, 0.5, 1.0, 1.5, 3.0, 8.0, 30.0])


def begun(healing: Healing) -> int:
    """Return how much of it was begun, rollbacks and proofs apart: attempts, and their steps."""
    tried = [one for one in healing.attempts if one.outcome is not Outcome.REFUSED]
    steps = [run for one in tried for run in one.steps if run.kind is StepKind.STEP]
    return len(tried) + len(steps)


class Healings(RuleBasedStateMachine):
    """Several engines, one after the other, on one record."""

    @initialize(seed=st.integers(0, 2**32), places=st.integers(1, 3))
    def begin(self, seed: int, places: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(inline_executor())
        self.at_once = patch.object(asking, "_AT_ONCE", 0.0)
        self.at_once.start()
        self.clock = ManualClock()
        self.record: Any = open_record(":memory:")
        self.disk = Disk(self.record)
        self.gate = FickleGate(seed, self.clock)
        self.world = World(self.record, self.clock, self.gate)
        self.told: dict[str, int] = defaultdict(int)
        self.begun_at_stop: dict[str, int] = {}
        self.places, self.lives, self.count = places, 0, 0
        self.start()

    def start(self) -> None:
        self.lives += 1
        self.gate.forget([one.id for one in self.healings() if one.outcome])
        holder = f"engine {self.lives}"
        self.gate.changed = asyncio.Event()
        self.runtime = SqliteRuntime(
            self.record,
            self.world,
            clock=self.clock,
            gate=self.gate,
            max_parallel=self.places,
            on_done=self.note,
            known_hosts=self.world.hosts,
            hosts_of=self.world.hosts_of,
            poll=2.0,
            holder=holder,
            is_dead=lambda lock: lock.holder != holder,
        )
        self.do(self.runtime.resume)

    async def note(self, healing: Healing) -> None:
        self.told[healing.id] += 1

    def do(self, work: Callable[[], Awaitable[object]], seconds: float = 0.0) -> None:
        """Do something, let time pass, and let everything come to rest."""

        async def doing() -> None:
            await work()
            await self.clock.advance(seconds)
            for _ in range(60):
                await asyncio.sleep(0)

        self.loop.run_until_complete(doing())

    async def nothing(self) -> None:
        return None

    def healings(self) -> list[Healing]:
        found: list[Healing] = self.record.healings(limit=1000)
        return found

    # What happens

    @precondition(lambda self: self.count < 5)
    @rule(rungs=st.lists(RUNGS, min_size=1, max_size=3), locks=LOCKS)
    def submit(self, rungs: list[dict[str, Any]], locks: set[str]) -> None:
        self.count += 1
        name = f"he-{self.count}"
        ladder = tuple(self.solution(f"{name}.{n}", rung) for n, rung in enumerate(rungs))
        healing = healing_of(*ladder, id=name, locks=tuple(sorted(locks)))

        async def submit() -> None:
            try:
                await self.runtime.submit(healing)
            except StoreError:
                assert self.disk.full

        self.do(submit)

    def solution(self, name: str, rung: dict[str, Any]) -> Solution:
        steps, checks = [], []
        for number, spec in enumerate(rung["steps"]):
            step = step_of(
                f"{name}.{number}",
                on_failure=spec["on_failure"],
                idempotent=spec["idempotent"],
                timeout=20.0,
            )
            self.world.replies[step.playbook] = list(spec["replies"])
            self.world.replies[step.rollback] = list(spec["undo_replies"])
            steps.append(step if spec["undo"] else replace(step, rollback=""))
        for number, replies in enumerate(rung["proofs"]):
            playbook = f"{name}.proof{number}.yml"
            self.world.replies[playbook] = list(replies)
            checks.append(Validation("playbook", {"name": playbook}, within=4.0, timeout=10.0))
        return solution_of(name, steps=tuple(steps), validate=tuple(checks), canary=rung["canary"])

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.do(self.nothing, seconds)

    @precondition(lambda self: self.count > 0)
    @rule(which=st.integers(1, 12), elsewhere=st.booleans())
    def stop(self, which: int, elsewhere: bool) -> None:
        healing_id = f"he-{which}"  # mostly nobody's: else hardly any healing would get far

        async def stop() -> None:
            known = [one for one in self.healings() if one.id == healing_id]
            if not known or known[0].state is HealingState.DONE:
                return
            try:
                if elsewhere:
                    self.record.request_stop(healing_id, "the CLI")
                else:
                    await self.runtime.stop(healing_id, "alice")
            except StoreError:
                assert self.disk.full
            else:
                self.begun_at_stop.setdefault(healing_id, begun(known[0]))

        self.do(stop)

    @rule(yes=st.booleans())
    def humans_answer(self, yes: bool) -> None:
        self.gate.answer(yes=yes)
        self.do(self.nothing)

    @rule()
    def gate_changes(self) -> None:
        self.gate.changed.set()
        self.do(self.nothing)

    @rule(seconds=SECONDS, writes=st.integers(0, 6))
    def disk_fills_up(self, seconds: float, writes: int) -> None:
        self.disk.writes_left = writes
        self.do(self.nothing, seconds)

    @rule()
    def disk_has_room(self) -> None:
        self.disk.writes_left, self.disk.full = None, False
        self.do(self.nothing)

    @rule(seconds=SECONDS)
    def crash(self, seconds: float) -> None:
        self.crash_at(seconds, None)

    @rule(seconds=SECONDS, writes=st.integers(0, 6))
    def crash_at(self, seconds: float, writes: int | None) -> None:
        """The n-th write from now on is the first that the dead engine did not make."""
        self.disk.writes_left = writes
        self.do(self.nothing, seconds)
        self.disk.full = True
        self.do(self.runtime.abort)
        self.disk.writes_left, self.disk.full = None, False
        self.start()

    @rule()
    def restart(self) -> None:
        async def drain() -> None:
            draining = asyncio.ensure_future(self.runtime.drain())
            while not draining.done():
                await self.clock.advance(1.0)
            draining.result()

        self.do(drain)
        self.disk_has_room()
        self.start()

    # What must hold

    @invariant()
    def nothing_is_broken(self) -> None:
        if not hasattr(self, "world"):
            return
        assert not self.world.ledger.broken
        for healing in self.healings():
            self.check_locks(healing)
            for attempt in healing.attempts:
                self.check_steps(healing, attempt)
                self.check_rollbacks(healing, attempt)
                if attempt.outcome is not None:
                    self.check_outcome(healing, attempt, attempt.outcome)
            self.check_batches(healing)
            self.check_end(healing)

    def check_locks(self, healing: Healing) -> None:
        held = [lock.resource for lock in self.record.locks() if lock.healing_id == healing.id]
        if healing.state is not HealingState.RUNNING:
            assert not held
        if healing.state is HealingState.DONE:
            assert healing.waiting is None
            assert self.told[healing.id] <= 1 + self.lives
        if healing.id in self.begun_at_stop:
            assert begun(healing) == self.begun_at_stop[healing.id], "nothing begins after a stop"

    def check_steps(self, healing: Healing, attempt: Attempt) -> None:
        """Ended well: never again. Cut off: once more, and only if that does no harm."""
        runs: dict[int, list[Ran]] = defaultdict(list)
        for ran in self.world.ledger.of(attempt.id, StepKind.STEP):
            runs[ran.run.index].append(ran)
        for index, all_of_it in runs.items():
            first, *again = all_of_it
            assert len(again) <= 1
            if again:
                assert first.state is None, "only what was cut off is run again"
                assert healing.ladder[attempt.rung].steps[index].idempotent
        assert list(runs) == sorted(runs), "steps run in order"

    def check_rollbacks(self, healing: Healing, attempt: Attempt) -> None:
        undone = [ran.run.index for ran in self.world.ledger.of(attempt.id, StepKind.ROLLBACK)]
        assert undone == sorted(set(undone), reverse=True), "once each, newest first"
        assert set(undone) <= self.may_have_changed(attempt)

    def may_have_changed(self, attempt: Attempt) -> set[int]:
        """A step whose intent alone is on record may have run as well, for all anybody knows."""
        began = self.world.ledger.of(attempt.id, StepKind.STEP)
        truly = {ran.run.index for ran in began if not ran.refused}
        lost = {run.index for run in attempt.steps if run.state is StepState.UNKNOWN}
        return truly | lost

    def check_outcome(self, healing: Healing, attempt: Attempt, outcome: Outcome) -> None:
        ledger, solution = self.world.ledger, healing.ladder[attempt.rung]
        assert not any(run.state is StepState.RUNNING for run in attempt.steps)
        began = ledger.of(attempt.id, StepKind.STEP)
        undone = {ran.run.index: ran.state for ran in ledger.of(attempt.id, StepKind.ROLLBACK)}
        to_undo = {
            ran.run.index
            for ran in began
            if not ran.refused and solution.steps[ran.run.index].rollback
        }
        match outcome:
            case Outcome.HEALED:
                assert not undone
                assert solution.validate
                self.check_proof(attempt, solution, max((ran.ended for ran in began), default=0))
            case Outcome.ROLLED_BACK:
                assert set(undone) >= to_undo
                assert set(undone.values()) == {StepState.SUCCESSFUL}
            case Outcome.FAILED if not any(
                step.on_failure is OnFailure.ABORT for step in solution.steps
            ):
                assert not to_undo
            case Outcome.UNKNOWN:
                assert not solution.validate
            case Outcome.REFUSED:
                assert not began
            case Outcome.ROLLBACK_FAILED:
                ends = [run.state for run in attempt.steps if run.kind is StepKind.ROLLBACK]
                assert ends[-1] is not StepState.SUCCESSFUL

    def check_proof(self, attempt: Attempt, solution: Solution, after: int) -> None:
        for check in solution.validate:
            looks = [
                ran
                for ran in self.world.ledger.of(attempt.id, StepKind.VALIDATION)
                if ran.run.playbook == check.args["name"]
            ]
            assert looks[-1].state is StepState.SUCCESSFUL
            assert looks[-1].number > after, "what proves a step comes after it"

    def check_batches(self, healing: Healing) -> None:
        for rung, solution in enumerate(healing.ladder):
            tried = [
                one
                for one in healing.attempts
                if one.rung == rung and one.outcome is not Outcome.REFUSED
            ]
            hosts = [host for one in tried for host in one.hosts]
            assert len(hosts) == len(set(hosts)), "each host is touched once"
            if solution.canary is None:
                assert len(tried) <= 1

    def check_end(self, healing: Healing) -> None:
        assert "the engine failed" not in healing.reason
        last = healing.attempts[-1] if healing.attempts else None
        tried = [one for one in healing.attempts if one.outcome is not Outcome.REFUSED]
        match healing.outcome:
            case Outcome.HEALED:
                assert tried[-1].outcome is Outcome.HEALED
            case Outcome.ROLLED_BACK:
                assert Outcome.ROLLED_BACK in {one.outcome for one in tried}
            case Outcome.ROLLBACK_FAILED | Outcome.UNKNOWN as outcome:
                assert last is not None
                assert last.outcome is outcome
            case Outcome.DENIED:
                assert healing.stop_requested or healing.id in self.gate.stopped
        if any(one.outcome is Outcome.ROLLBACK_FAILED for one in tried):
            assert last is not None
            assert last.outcome is Outcome.ROLLBACK_FAILED, "nothing comes after that"

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            self.everything_ends()
        finally:
            self.disk.full = True
            self.do(self.runtime.abort)
            self.at_once.stop()
            self.record.close()
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    def everything_ends(self) -> None:
        """Once the gate allows, the humans say yes and there is room, each healing ends."""
        self.disk_has_room()
        self.gate.calm_down()
        for _ in range(600):
            if all(one.state is HealingState.DONE for one in self.healings()):
                break
            self.do(self.nothing, 10.0)
            self.gate.answer(yes=True)
        left = [(one.id, one.state, one.waiting) for one in self.healings() if not one.outcome]
        assert not left
        self.do(self.nothing, 10.0)
        self.nothing_is_broken()
        assert self.record.locks() == []
        assert self.runtime.idle


TestHealings = Healings.TestCase
TestHealings.settings = settings(
    max_examples=int(os.environ.get("SELFHEAL_WALKS", "100")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
