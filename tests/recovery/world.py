"""A world for random healings: playbooks that do as they are told, a fickle gate, and a ledger.

The ledger knows what truly began and ended, whatever the record says, over all lives of the engine.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from selfheal.clock import ManualClock
from selfheal.errors import ExecutionError
from selfheal.model import (
    Healing,
    PlaybookRequest,
    PlaybookResult,
    Refusal,
    Refused,
    Stage,
    StepKind,
    StepRun,
    StepState,
    TaskResult,
    Verdict,
)
from selfheal.ports import Record
from selfheal.recovery import MemoryRunner, OpenGate
from selfheal.recovery.executors import Reply

HOSTS = ("h1", "h2", "h3", "h4")


@dataclass
class Ran:
    """One playbook that truly began."""

    number: int
    run: StepRun
    healing: Healing
    limit: str
    state: StepState | None = None
    """None: it was cut off."""
    refused: bool = False
    """It could not be started."""
    under_way: bool = True
    ended: int = -1


@dataclass
class Ledger:
    """What truly happened, and what of that broke a promise."""

    ran: list[Ran] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    ticks: int = 0

    def tick(self) -> int:
        self.ticks += 1
        return self.ticks

    def of(self, attempt_id: str, kind: StepKind) -> list[Ran]:
        return [
            one for one in self.ran if one.run.attempt_id == attempt_id and one.run.kind is kind
        ]

    def expect(self, fact: bool, otherwise: str) -> None:
        # An assertion inside the engine would be caught there, as any error of a playbook is.
        if not fact:
            self.broken.append(otherwise)


class World(MemoryRunner):
    """A runner that checks, as each playbook begins, that it may begin."""

    def __init__(self, record: Record, clock: ManualClock, gate: FickleGate) -> None:
        super().__init__(clock=clock, known_hosts=HOSTS)
        self.ledger = Ledger()
        self.replies: dict[str, list[Reply]] = {}
        self._record = record
        self._gate = gate

    async def run(
        self, request: PlaybookRequest, on_task: Callable[[TaskResult], None] | None = None
    ) -> PlaybookResult:
        ran = self._begun(request)
        try:
            result = await super().run(request, on_task)
        except ExecutionError:
            ran.refused = True
            raise
        finally:
            ran.under_way, ran.ended = False, self.ledger.tick()
        ran.state = result.state
        return result

    def _next_reply(self, name: str) -> Reply:
        replies = self.replies[name]
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def _begun(self, request: PlaybookRequest) -> Ran:
        healing, run = self._intent(request.ident)
        ran = Ran(self.ledger.tick(), run, healing, request.limit)
        self._check(ran)
        self.ledger.ran.append(ran)
        return ran

    def _intent(self, ident: str) -> tuple[Healing, StepRun]:
        for healing in self._record.healings(limit=1000, state="running"):
            for attempt in healing.attempts:
                for run in attempt.steps:
                    if run.ident == ident and run.state is StepState.RUNNING:
                        return healing, run
        raise RuntimeError(f"run {ident} has no intent on record")

    def _check(self, ran: Ran) -> None:
        healing, run, expect = ran.healing, ran.run, self.ledger.expect
        held = {lock.resource for lock in self._record.locks() if lock.healing_id == healing.id}
        expect(held == set(healing.locks), f"{run.playbook}: holds {held}, not {healing.locks}")
        for other in self.ledger.ran:
            if other.under_way and other.healing.id != healing.id:
                both = set(other.healing.locks) & set(healing.locks)
                expect(not both, f"{run.playbook} and {other.run.playbook} both work on {both}")
        if run.kind is StepKind.STEP:
            expect(not healing.stop_requested, f"{run.playbook} begins after a stop")
            expect(healing.id not in self._gate.stopped, f"{run.playbook} begins after a STOP")
            undone = self.ledger.of(run.attempt_id, StepKind.ROLLBACK)
            expect(not undone, f"{run.playbook} begins after its attempt was rolled back")
        hosts = healing.attempts[-1].hosts
        inside = not hosts or set(ran.limit.split(",")) <= set(hosts)
        expect(inside, f"{run.playbook} runs on {ran.limit}, beside its batch {hosts}")


class FickleGate(OpenGate):
    """Answers at random, until it is calm and lets everything through."""

    def __init__(self, seed: int, clock: ManualClock) -> None:
        super().__init__()
        self.calm = False
        self.stopped: set[str] = set()
        """Healings that were told to STOP, before a rung or batch."""
        self.late: dict[str, asyncio.Future[bool]] = {}
        """Humans who have been asked and have not answered."""
        self._random = random.Random(seed)
        self._clock = clock

    async def check(self, healing: Healing, rung: int, stage: Stage) -> Refused | None:
        if self.calm:
            return None
        kinds = [None, "wait", "until", "everybody", Verdict.SKIP, Verdict.STOP]
        (kind,) = self._random.choices(kinds, [60, 5, 5, 2, 3, 2])
        if self._random.random() < 0.3:
            await asyncio.sleep(0)
        if isinstance(kind, Verdict):
            if kind is Verdict.STOP and stage is not Stage.RETRY:
                self.stopped.add(healing.id)
            return Refused(self._random.choice(_REASONS), "dice", kind)
        if kind is None:
            return None
        until = None if kind == "wait" else self._clock.now() + self._random.choice([1.0, 7.0])
        return Refused(Refusal.COOLDOWN, "dice", Verdict.WAIT, until, kind == "everybody")

    async def consent(self, healing: Healing, rung: int) -> Refused | None:
        if self.calm or self._random.random() < 0.8:
            return None
        if self._random.random() < 0.7:
            answer = self.late[healing.id] = asyncio.get_running_loop().create_future()
            try:
                yes = await answer
            finally:
                self.late.pop(healing.id, None)
        else:
            yes = self._random.random() < 0.5
        if yes:
            return None
        self.stopped.add(healing.id)
        return Refused(Refusal.DENIED, "dice", Verdict.STOP)

    def answer(self, *, yes: bool) -> None:
        """Let every human who was asked answer."""
        for answer in list(self.late.values()):
            if not answer.done():
                answer.set_result(yes)

    def calm_down(self) -> None:
        self.calm = True
        self.answer(yes=True)
        self.changed.set()

    def forget(self, ended: Sequence[str]) -> None:
        """At a start: what was answered, and is not on record, was never said."""
        self.stopped &= set(ended)


_REASONS = [Refusal.LIMIT, Refusal.FAULT_GONE, Refusal.EXPIRED, Refusal.MAINTENANCE]


def inline_executor() -> Any:
    """Return an executor that does its work at once: threads would bring in real time."""
    from concurrent.futures import Future, ThreadPoolExecutor

    class Inline(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            future: Future[Any] = Future()
            future.set_result(fn(*args, **kwargs))
            return future

    return Inline(1)
