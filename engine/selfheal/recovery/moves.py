"""Doing what the plan says: the intent is recorded before each effect, the result after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from selfheal.clock import Clock
from selfheal.errors import ExecutionError, StoreError, TemplateError
from selfheal.model import (
    Attempt,
    FaultState,
    Healing,
    PlaybookRequest,
    PlaybookResult,
    StepKind,
    StepRun,
    StepState,
    TaskResult,
    Validation,
    ValidationResult,
    new_id,
)
from selfheal.ports import PlaybookRunner, Record
from selfheal.recovery.plan import EndAttempt, Move, RollBack, RunStep, Settle, StartRung, Validate
from selfheal.recovery.requests import KnownHosts, LiveVariables, RequestBuilder, variables_of
from selfheal.recovery.story import Story
from selfheal.recovery.untouched import changed_nothing
from selfheal.recovery.validation import ProbeContext, validate

_log = logging.getLogger(__name__)

Build = Callable[[str], Awaitable[PlaybookRequest]]


class Moves:
    """Carries out moves of any healing. What a playbook does wrong is recorded, never raised."""

    def __init__(
        self,
        record: Record,
        runner: PlaybookRunner,
        clock: Clock,
        known_hosts: KnownHosts,
        prometheus_url: str,
        live: LiveVariables,
    ) -> None:
        self._record = record
        self._runner = runner
        self._clock = clock
        self._known_hosts = known_hosts
        self._prometheus_url = prometheus_url
        self._live = live

    async def do(self, healing: Healing, move: Move, stop: asyncio.Event) -> None:
        """Carry out one move. A stop ends a step or a validation early, never a rollback."""
        match move:
            case StartRung(rung):
                self._start_rung(healing, rung)
            case RunStep(index):
                await self._run_step(healing, index, StepKind.STEP, stop)
            case RollBack(index):
                await self._run_step(healing, index, StepKind.ROLLBACK, asyncio.Event())
            case Validate():
                await self._validate(healing, stop)
            case Settle(ident):
                self._settle(healing, ident)
            case EndAttempt():
                self._end_attempt(healing, move)

    def _start_rung(self, healing: Healing, rung: int) -> None:
        now, solution = self._clock.now(), healing.ladder[rung]
        attempt = Attempt(new_id("at"), healing.id, rung, solution.name, now)
        with self._record.transaction():
            self._record.add_attempt(attempt)
            self._story(healing).rung_begun(attempt, solution)

    def _end_attempt(self, healing: Healing, move: EndAttempt) -> None:
        attempt = healing.attempts[-1]
        with self._record.transaction():
            self._record.end_attempt(attempt.id, move.outcome, self._clock.now())
            self._story(healing).rung_ended(attempt, move.outcome, move.reason)

    def _settle(self, healing: Healing, ident: str) -> None:
        run = next(run for run in healing.attempts[-1].steps if run.ident == ident)
        message = "the engine stopped meanwhile, how it ended is unknown"
        self._end_run(healing, run, self._early(run, StepState.UNKNOWN, message))

    async def _run_step(
        self, healing: Healing, index: int, kind: StepKind, stop: asyncio.Event
    ) -> None:
        attempt = healing.attempts[-1]
        step = healing.ladder[attempt.rung].steps[index]
        undo = kind is StepKind.ROLLBACK
        builder = RequestBuilder(healing, attempt, self._known_hosts, self._live)
        run = self._intent(
            kind, attempt, index, step.name, step.rollback if undo else step.playbook
        )
        await self._recorded(
            healing, run, lambda ident: builder.step(ident, index, rollback=undo), stop
        )

    def _intent(
        self, kind: StepKind, attempt: Attempt, index: int, name: str, playbook: str
    ) -> StepRun:
        return StepRun(
            ident=new_id("st"),
            attempt_id=attempt.id,
            kind=kind,
            index=index,
            name=name,
            playbook=playbook,
            state=StepState.RUNNING,
            started_at=self._clock.now(),
        )

    async def _recorded(
        self, healing: Healing, run: StepRun, build: Build, stop: asyncio.Event
    ) -> PlaybookResult:
        """Run a playbook between its recorded intent and its recorded end."""
        with self._record.transaction():
            self._record.add_step(run)
            self._story(healing).run_begun(run)
        try:
            request = await _built(build, run.ident)
            result = await self._run(healing, request, stop)
        except asyncio.CancelledError:
            # A try whose time is over. A step's end is left open: whoever ended it was the engine.
            if run.kind is StepKind.VALIDATION:
                self._end_run(healing, run, self._early(run, StepState.CANCELLED, "given up"))
            raise
        except (ExecutionError, TemplateError) as error:
            # No exit code: nothing was started, so there is nothing to undo.
            result = self._early(run, StepState.FAILED, str(error))
        if run.kind is StepKind.STEP and changed_nothing(result):
            result = replace(result, rc=None)  # as if it had never been started
        self._end_run(healing, run, result)
        return result

    def _early(self, run: StepRun, state: StepState, message: str) -> PlaybookResult:
        """Return the result of a run that brought none."""
        now = self._clock.now()
        return PlaybookResult(run.ident, state, None, run.started_at, now, message=message)

    def _end_run(self, healing: Healing, run: StepRun, result: PlaybookResult) -> None:
        with self._record.transaction():
            self._record.end_step(result)
            self._story(healing).run_ended(run, result)

    async def _run(
        self, healing: Healing, request: PlaybookRequest, stop: asyncio.Event
    ) -> PlaybookResult:
        """Run; a stop cancels the run and its result says so."""
        if stop.is_set():
            raise ExecutionError("stopped before it was started")
        running = asyncio.ensure_future(
            self._runner.run(request, self._task_recorder(healing, request.ident))
        )
        stopping = asyncio.ensure_future(stop.wait())
        waiting: set[asyncio.Future[Any]] = {running, stopping}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                await self._runner.cancel(request.ident)
            return await running
        finally:
            stopping.cancel()
            if not running.done():
                running.cancel()
                await asyncio.wait({running})

    def _task_recorder(self, healing: Healing, ident: str) -> Callable[[TaskResult], None]:
        count = 0

        def recorded(task: TaskResult) -> None:
            nonlocal count
            count += 1
            with self._record.transaction():
                self._record.add_task(ident, count, task, self._clock.now())
                self._story(healing).task_ended(ident, task)

        return recorded

    async def _validate(self, healing: Healing, stop: asyncio.Event) -> None:
        attempt = healing.attempts[-1]
        checks = healing.ladder[attempt.rung].validate
        self._story(healing).validation_begun(checks)
        work = asyncio.ensure_future(self._proofs(healing, checks))
        stopping = asyncio.ensure_future(stop.wait())
        waiting: set[asyncio.Future[Any]] = {work, stopping}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                self._record_validations(healing, work.result())
            else:
                self._story(healing).validation_given_up()
        finally:
            stopping.cancel()
            work.cancel()
            await asyncio.wait({work})

    def _record_validations(self, healing: Healing, results: list[ValidationResult]) -> None:
        with self._record.transaction():
            self._record.set_validations(healing.attempts[-1].id, results, self._clock.now())
            for result in results:
                self._story(healing).validation_ended(result)

    async def _proofs(
        self, healing: Healing, checks: Sequence[Validation]
    ) -> list[ValidationResult]:
        """Prove each in its own time; several must then also hold side by side."""
        proofs = [self._prove(healing, number, check) for number, check in enumerate(checks)]
        first = await asyncio.gather(*proofs)
        if len(first) < 2 or not all(result.ok for result in first):
            return first
        # The first proven may have broken while the last one was still being proven.
        once = [replace(check, within=0.0, stable_for=0.0, retries=None) for check in checks]
        looks = [self._prove(healing, number, check) for number, check in enumerate(once)]
        again = await asyncio.gather(*looks)
        return [_both(one, other) for one, other in zip(first, again, strict=True)]

    async def _prove(
        self, healing: Healing, number: int, validation: Validation
    ) -> ValidationResult:
        attempt = healing.attempts[-1]
        context = ProbeContext(
            run_playbook=self._playbook_check(healing, validation, number),
            fault_resolved=lambda: self._fault_resolved(healing),
            prometheus_url=self._prometheus_url,
        )
        variables = variables_of(healing, attempt, self._live)
        return await validate(validation, variables, context, self._clock)

    def _playbook_check(
        self, healing: Healing, validation: Validation, number: int
    ) -> Callable[[str, Mapping[str, Any], str], Awaitable[PlaybookResult]]:
        attempt = healing.attempts[-1]
        builder = RequestBuilder(healing, attempt, self._known_hosts, self._live)
        raw_limit = str(validation.args.get("limit", ""))

        async def check(playbook: str, variables: Mapping[str, Any], limit: str) -> PlaybookResult:
            run = self._intent(StepKind.VALIDATION, attempt, number, playbook, playbook)
            return await self._recorded(
                healing,
                run,
                lambda ident: builder.check(ident, playbook, variables, raw_limit, limit),
                asyncio.Event(),
            )

        return check

    def _fault_resolved(self, healing: Healing) -> bool:
        if not healing.fault_id:
            return False
        state = self._record.fault(healing.fault_id).state
        return state in (FaultState.RESOLVED, FaultState.HEALED)

    def _story(self, healing: Healing) -> Story:
        return Story(self._record, healing)


async def _built(build: Build, ident: str) -> PlaybookRequest:
    """Build a request. Whatever goes wrong, Ansible was not started: steps before are undone."""
    try:
        return await build(ident)
    except (StoreError, ExecutionError, TemplateError):
        raise
    except Exception as error:
        _log.exception("the request of run %s can't be built", ident)
        reason = f"{type(error).__name__}: {error}"[:300]
        raise ExecutionError(f"the run can't be prepared: {reason}") from error


def _both(first: ValidationResult, again: ValidationResult) -> ValidationResult:
    """Return the proof with the look at the end of all proofs, which may have undone it."""
    detail = first.detail if again.ok else f"held, but not until the end: {again.detail}"
    tries = first.tries + again.tries
    return replace(first, ok=again.ok, detail=detail, tries=tries, ended_at=again.ended_at)
