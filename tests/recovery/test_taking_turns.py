"""Who lacks many locks is not overtaken for ever: random queues, and the cases worth a name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from selfheal.clock import ManualClock
from selfheal.model import Healing, HealingState, Outcome, Refusal, Refused, Stage, Waiting
from selfheal.ports import Lease, Record
from selfheal.recovery.admission import Admission
from selfheal.recovery.claims import Claims
from selfheal.recovery.executors import Reply
from selfheal.recovery.move import Finish
from selfheal.store import open_record

from .gates import RuleGate, wait
from .nouns import healing_of, solution_of
from .test_runtime import Engine, submitted

NAMES = ["host:a", "host:b", "host:c", "host:*", "all", "pool:x", "pool:y"]
LOCKS = st.sets(st.sampled_from(NAMES), min_size=1, max_size=3)


def overlap(one: set[str], other: set[str]) -> bool:
    """Tell whether two may not run side by side."""
    every = {"host:*", "all"}
    hosts = [
        {name for name in names if name.startswith("host:") or name in every}
        for names in (one, other)
    ]
    return bool(one & other) or (all(hosts) and any(names & every for names in hosts))


@settings(deadline=None)
@given(st.lists(st.tuples(LOCKS, st.booleans()), max_size=12), LOCKS, st.integers(0, 12))
def test_the_nearest_of_the_older(
    claims: list[tuple[set[str], bool]], names: set[str], number: int
) -> None:
    """Of all claims that stand the youngest older one that overlaps is found, and no other."""
    kept = Claims()
    for at, (wanted, _) in enumerate(claims):
        kept.put(at, f"he-{at}", wanted)
    for at, (_, dropped) in enumerate(claims):
        if dropped:
            kept.drop(f"he-{at}")
    ahead = [
        f"he-{at}"
        for at, (wanted, dropped) in enumerate(claims)
        if not dropped and at < number and overlap(wanted, names)
    ]
    assert kept.ahead_of(number, names) == (ahead[-1] if ahead else "")


@settings(deadline=None, max_examples=50)
@given(LOCKS, LOCKS)
def test_the_record_agrees_on_what_overlaps(one: set[str], other: set[str]) -> None:
    """What keeps a healing from its locks, and from its turn, is one rule."""
    record = open_record(":memory:")
    holder, other_one = (
        healing_of(solution_of(), id=f"he-{number}", locks=tuple(sorted(names)))
        for number, names in enumerate((one, other))
    )
    for healing in (holder, other_one):
        record.add_healing(healing)
    assert record.start_healing(holder.id, 1.0)
    claims = Claims()
    claims.put(0, holder.id, holder.locks)
    assert bool(claims.ahead_of(1, other_one.locks)) == bool(record.locks_against(other_one))
    record.close()


class Queue(RuleBasedStateMachine):
    """The queue alone, on a record: what is begun runs until the test ends it."""

    @initialize(places=st.sampled_from([1, 2, 100]))
    def begin(self, places: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.record: Record = open_record(":memory:")
        self.gate = RuleGate(self.answer)
        self.held_up: set[str] = set()
        self.names: dict[str, set[str]] = {}
        self.order: list[str] = []
        self.running: set[str] = set()
        self.elsewhere: list[str] = []
        self.idle: set[str] = set()
        self.places, self.broken = places, ""
        self.admission = Admission(
            self.record,
            self.clock,
            self.gate,
            asyncio.Lock(),
            lambda: Lease("engine", self.clock.now() + 60),
            lambda: len(self.running) < self.places,
            self.drive,
        )
        self.worker = self.loop.create_task(self.admission.work())

    def answer(self, healing: Healing, rung: int, stage: Stage) -> Refused | None:
        return wait(reason=Refusal.COOLDOWN) if healing.id in self.held_up else None

    def drive(self, healing_id: str, end: Finish | None) -> None:
        assert end is None
        if self.record.healing(healing_id).state is HealingState.RUNNING:
            self.running.add(healing_id)
            self.check_turn(healing_id)
        else:  # it was stopped
            self.record.end_healing(healing_id, Outcome.DENIED, "", self.clock.now())
            self.admission.freed(healing_id)

    def check_turn(self, healing_id: str) -> None:
        """An assertion in there would be caught as a failure of that healing."""
        mine = self.names[healing_id]
        for other in self.running - {healing_id}:
            if overlap(self.names[other], mine):
                self.broken = f"{healing_id} and {other} run side by side"
        for older in self.order[: self.order.index(healing_id)]:
            waiting = self.record.healing(older).waiting
            claims = waiting is not None and waiting.reason is Refusal.LOCKED
            if not claims or self.waits_for_an_idle_one(older):
                continue
            if overlap(self.names[older], mine):
                self.broken = f"{healing_id} has overtaken {older}"

    def waits_for_an_idle_one(self, healing_id: str) -> bool:
        """It, or one before it in the line, lacks what is held by one that asks a human."""
        before = self.order[: self.order.index(healing_id) + 1]
        line = [one for one in before if overlap(self.names[one], self.names[healing_id])]
        return any(overlap(self.names[one], self.names[idle]) for one in line for idle in self.idle)

    def settle(self, work: Callable[[], object] = lambda: None) -> None:
        async def settling() -> None:
            work()
            for _ in range(20 * (len(self.order) + 2)):
                await asyncio.sleep(0)

        self.loop.run_until_complete(settling())

    @rule(names=LOCKS, held_up=st.booleans())
    def submit(self, names: set[str], held_up: bool) -> None:
        healing = healing_of(solution_of(), id=f"he-{len(self.order)}", locks=tuple(sorted(names)))
        self.record.add_healing(healing)
        self.names[healing.id] = names
        self.order.append(healing.id)
        if held_up:
            self.held_up.add(healing.id)
        self.settle(lambda: self.admission.add(healing.id))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def one_ends(self, data: Any) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.running))))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def one_asks_a_human_or_has_an_answer(self, data: Any) -> None:
        healing_id = data.draw(st.sampled_from(sorted(self.running)))
        self.idle ^= {healing_id}
        asks = Waiting(Refusal.APPROVAL_REQUIRED, "a human is asked", 0.0)
        self.record.set_waiting(healing_id, asks if healing_id in self.idle else None)
        self.settle(self.admission.tick)

    def end(self, healing_id: str) -> None:
        self.running.remove(healing_id)
        self.idle.discard(healing_id)
        self.record.end_healing(healing_id, Outcome.HEALED, "", self.clock.now())

        def freed() -> None:
            self.admission.freed(healing_id)
            self.admission.poke()

        self.settle(freed)

    @precondition(lambda self: self.order)
    @rule(data=st.data())
    def the_gate_changes_its_mind(self, data: Any) -> None:
        self.held_up ^= {data.draw(st.sampled_from(self.order))}
        self.settle(self.admission.gate_changed)

    @precondition(lambda self: self.order)
    @rule(data=st.data(), noticed=st.booleans())
    def one_is_over(self, data: Any, noticed: bool) -> None:
        """A queued one is stopped; or it is ended on record, by another process."""
        healing_id = data.draw(st.sampled_from(self.order))
        if self.record.healing(healing_id).state is not HealingState.QUEUED:
            return
        if noticed:
            self.admission.remove(healing_id)
            self.settle(lambda: self.drive(healing_id, None))
        else:
            self.record.end_healing(healing_id, Outcome.FAILED, "", self.clock.now())

    @rule(names=LOCKS)
    def somebody_else_takes_locks(self, names: set[str]) -> None:
        name = f"by-hand-{len(self.names)}"
        other = healing_of(solution_of(), id=name, locks=tuple(sorted(names)))
        self.record.add_healing(other)
        self.names[name] = names
        if self.record.start_healing(name, 0.0, Lease("by hand", 60.0)):
            self.elsewhere.append(name)

    @rule()
    def the_others_end(self) -> None:
        for healing_id in self.elsewhere:
            self.record.end_healing(healing_id, Outcome.HEALED, "", 0.0)
        self.elsewhere.clear()

    @rule()
    def time_passes(self) -> None:
        self.settle(self.admission.tick)

    @invariant()
    def each_in_its_turn(self) -> None:
        assert not getattr(self, "broken", "")

    @precondition(lambda self: hasattr(self, "order"))
    @rule()
    def nobody_is_asked_for_nothing(self) -> None:
        """Once all is quiet, looking again and again asks the gate nothing."""
        for _ in range(3 * len(self.order) + 3):
            self.settle(self.admission.tick)
        asked = len(self.gate.asked)
        for _ in range(5):
            self.settle(self.admission.tick)
        assert len(self.gate.asked) == asked

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            self.everything_ends()
        finally:
            self.worker.cancel()
            self.loop.run_until_complete(asyncio.gather(self.worker, return_exceptions=True))
            self.loop.close()
            self.record.close()

    def everything_ends(self) -> None:
        """With the gate open, and all that runs ended, each has its turn."""
        self.held_up.clear()
        self.the_others_end()
        self.settle(self.admission.gate_changed)
        for _ in range(3 * len(self.order) + 3):
            for healing_id in sorted(self.running):
                self.end(healing_id)
            self.settle(self.admission.tick)
        assert not self.broken
        left = self.record.healings(limit=1000, state=HealingState.QUEUED.value)
        assert [one.id for one in left if one.id in self.order] == []


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path / "record.db")
    yield engine
    await engine.close()


def slow(name: str, *locks: str) -> Healing:
    return submitted(solution_of(name, validate=()), id=f"he-{name}", locks=locks)


def begun(engine: Engine) -> list[str]:
    return [name.removesuffix(".yml") for name in engine.runner.playbooks]


async def test_who_wants_all_hosts_is_not_overtaken(engine: Engine) -> None:
    """Between two that end at different times a third would keep it waiting for ever; it doesn't,
    and it knows whom it waits for."""
    script: Any = {"one.yml": Reply(seconds=10), "two.yml": Reply(seconds=20)}
    runtime = engine.start(script)
    for healing in (slow("one", "host:a"), slow("two", "host:b"), slow("all", "all")):
        await runtime.submit(healing)
    await engine.until(lambda: begun(engine) == ["one", "two"], 5)
    await runtime.submit(slow("late", "host:a"))
    await runtime.submit(slow("other", "pool:x"))
    await engine.until(lambda: len(engine.done) == 5, 60)
    assert begun(engine) == ["one", "two", "other", "all", "late"]
    assert "waiting: its turn comes after he-all, which waits for some of the same locks" in (
        engine.told()
    )


async def test_who_waits_for_one_that_asks_a_human_lets_others_by(engine: Engine) -> None:
    """The one that wants all hosts would else hold up each of them as long as nobody answers."""
    gate = RuleGate()
    gate.now(lambda healing, rung, stage: None)
    runtime = engine.start({"one.yml": Reply(seconds=10)}, gate=gate, poll=0.05)
    await runtime.submit(slow("one", "host:a"))
    await engine.until(lambda: begun(engine) == ["one"], 5)
    asks = Waiting(Refusal.APPROVAL_REQUIRED, "a human is asked", 0.0)
    engine.record.set_waiting("he-one", asks)
    await runtime.submit(slow("all", "all"))
    await runtime.submit(slow("other", "host:b"))
    await engine.until(lambda: begun(engine) == ["one", "other"], 5)
    engine.record.set_waiting("he-one", None)
    await engine.until(lambda: begun(engine) == ["one", "other", "all"], 30)


async def test_who_waits_for_something_else_lets_others_by(engine: Engine) -> None:
    """A cooldown holds up one healing, and nobody who is younger; nor does it after it had
    waited for locks before."""
    gate = RuleGate()
    runtime = engine.start({"one.yml": Reply(seconds=10)}, gate=gate)
    for healing in (slow("one", "host:a"), slow("all", "all"), slow("late", "host:a", "host:b")):
        await runtime.submit(healing)
    await engine.until(lambda: len(engine.record.healings(state="queued")) == 2, 5)
    gate.now(lambda healing, rung, stage: wait() if healing.id == "he-all" else None)
    await engine.until(lambda: len(engine.done) == 2, 30)
    assert begun(engine) == ["one", "late"]
    gate.now(lambda *_: None)
    await engine.until(lambda: len(engine.done) == 3, 30)


async def test_who_is_stopped_lets_others_by(engine: Engine) -> None:
    """A claim ends with its healing, at once."""
    runtime = engine.start({"one.yml": Reply(seconds=10)}, poll=1000.0)
    for healing in (slow("one", "host:a"), slow("all", "all"), slow("late", "host:b")):
        await runtime.submit(healing)
    await engine.until(lambda: engine.record.healing("he-late").waiting is not None, 5)
    await runtime.stop("he-all", "alice")
    await engine.until(lambda: begun(engine) == ["one", "late"], 5)
