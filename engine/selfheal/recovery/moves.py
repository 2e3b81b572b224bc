"""Doing what the plan says, one move at a time."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from selfheal.clock import Clock
from selfheal.errors import ExecutionError, TemplateError
from selfheal.model import Attempt, Healing, PlaybookRequest, StepKind
from selfheal.ports import PlaybookRunner, Record
from selfheal.recovery.canary import (
    Batch,
    HostsOf,
    hosts_meant,
    is_rollout,
    next_batch,
    within_batch,
)
from selfheal.recovery.move import EndAttempt, Move, RollBack, RunStep, Settle, StartRung, Validate
from selfheal.recovery.proofs import Proofs
from selfheal.recovery.requests import KnownHosts, LiveVariables, RequestBuilder
from selfheal.recovery.runs import Runs
from selfheal.recovery.story import Story


class Moves:
    """Carries out moves of any healing. What a playbook does wrong is recorded, never raised."""

    def __init__(
        self,
        record: Record,
        runner: PlaybookRunner,
        clock: Clock,
        known_hosts: KnownHosts,
        hosts_of: HostsOf,
        prometheus_url: str,
        live: LiveVariables,
    ) -> None:
        self._record = record
        self._clock = clock
        self._known_hosts = known_hosts
        self._hosts_of = hosts_of
        self._live = live
        self._runs = Runs(record, runner, clock)
        self._proofs = Proofs(
            record, self._runs, clock, known_hosts, hosts_of, prometheus_url, live
        )

    async def do(self, healing: Healing, move: Move, stop: asyncio.Event) -> None:
        """Carry out one move. A stop ends a step or a validation early, never a rollback."""
        match move:
            case RunStep(index):
                await self._run_step(healing, index, StepKind.STEP, stop)
            case RollBack(index):
                await self._run_step(healing, index, StepKind.ROLLBACK, asyncio.Event())
            case Validate():
                await self._proofs.validate(healing, stop)
            case Settle(ident):
                steps = healing.attempts[-1].steps
                await self._runs.settle(healing, next(run for run in steps if run.ident == ident))
            case EndAttempt():
                self._end_attempt(healing, move)

    async def next_batch(self, healing: Healing, move: StartRung) -> Batch | None:
        """See `canary.next_batch`."""
        return await next_batch(self._planned(healing, move.rung), self._hosts_of)

    async def rollout(self, healing: Healing) -> frozenset[str]:
        """Return the hosts of each solution of the ladder that is run in batches.

        One whose hosts can't be told adds none: what is not locked is not touched either."""
        hosts: set[str] = set()
        for rung, solution in enumerate(healing.ladder):
            if is_rollout(healing, solution):
                with suppress(ExecutionError, TemplateError):
                    hosts |= await hosts_meant(self._planned(healing, rung), self._hosts_of)
        return frozenset(hosts)

    def _planned(self, healing: Healing, rung: int) -> RequestBuilder:
        name = healing.ladder[rung].name
        return self._builder(healing, Attempt("", healing.id, rung, name, self._clock.now()))

    def _builder(self, healing: Healing, attempt: Attempt) -> RequestBuilder:
        return RequestBuilder(healing, attempt, self._known_hosts, self._live)

    def _end_attempt(self, healing: Healing, move: EndAttempt) -> None:
        attempt = healing.attempts[-1]
        with self._record.transaction():
            self._record.end_attempt(attempt.id, move.outcome, self._clock.now())
            Story(self._record, healing).rung_ended(attempt, move.outcome, move.reason)

    async def _run_step(
        self, healing: Healing, index: int, kind: StepKind, stop: asyncio.Event
    ) -> None:
        attempt = healing.attempts[-1]
        step = healing.ladder[attempt.rung].steps[index]
        undo = kind is StepKind.ROLLBACK
        builder = self._builder(healing, attempt)

        async def build(ident: str) -> PlaybookRequest | None:
            request = await builder.step(ident, index, rollback=undo)
            return await within_batch(attempt, request, self._hosts_of)

        playbook = step.rollback if undo else step.playbook
        run = self._runs.intent(kind, attempt, index, step.name, playbook)
        await self._runs.run(healing, run, build, stop)
