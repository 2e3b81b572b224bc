"""Playbook runs on record: the intent before the effect, the result after it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from selfheal.clock import Clock
from selfheal.errors import ExecutionError, StoreError, TemplateError
from selfheal.model import (
    Attempt,
    Healing,
    PlaybookRequest,
    PlaybookResult,
    StepKind,
    StepRun,
    StepState,
    TaskResult,
    new_id,
)
from selfheal.ports import PlaybookRunner, Record
from selfheal.recovery.story import Story
from selfheal.recovery.untouched import changed_nothing
from selfheal.recovery.waiting import cancelled, settled

_log = logging.getLogger(__name__)
_LOST = "the engine stopped meanwhile, how it ended is unknown"
_NOTHING_TO_DO = "none of its hosts is in this batch"

UNDONE_WITHIN = 6 * 24 * 3600.0
"""Seconds from the begin of an attempt in which it may be rolled back. What the library's steps
keep on managed hosts goes after seven days: `playbooks/module_utils/selfheal_memory.py`."""

Build = Callable[[str], Awaitable[PlaybookRequest | None]]
"""Make the request of a run; None when there is nothing to run."""


class Runs:
    """Runs playbooks for healings. What a playbook does wrong is recorded, never raised."""

    def __init__(self, record: Record, runner: PlaybookRunner, clock: Clock) -> None:
        self._record = record
        self._runner = runner
        self._clock = clock
        self._unrecorded: dict[str, PlaybookResult] = {}

    def intent(
        self, kind: StepKind, attempt: Attempt, index: int, name: str, playbook: str
    ) -> StepRun:
        """Return the run that is about to be recorded."""
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

    async def run(
        self, healing: Healing, run: StepRun, build: Build, stop: asyncio.Event
    ) -> PlaybookResult:
        """Run a playbook between its recorded intent and its recorded end."""
        with self._record.transaction():
            self._record.add_step(run)
            Story(self._record, healing).run_begun(run)
        try:
            result = await self._result(healing, run, build, stop)
        except asyncio.CancelledError:
            # A try whose time is over. A step's end is left open: whoever ended it was the engine.
            if run.kind is StepKind.VALIDATION:
                with suppress(StoreError):  # then it is settled like a run of a dead engine
                    self._end(healing, run, self._early(run, StepState.CANCELLED, "given up"))
            raise
        except (ExecutionError, TemplateError) as error:
            # No exit code: nothing was started, so there is nothing to undo.
            result = self._early(run, StepState.FAILED, str(error))
        if run.kind is StepKind.STEP and changed_nothing(result):
            result = replace(result, rc=None)  # as if it had never been started
        self._end(healing, run, result)
        return result

    async def settle(self, healing: Healing, run: StepRun) -> None:
        """Record how a run has ended whose end is not on record.

        Either it ended here while the record could not be written, or in an engine that died:
        then its artifact tells, as far as it shows an end that the playbook came to itself."""
        if known := self._unrecorded.get(run.ident):
            self._end(healing, run, known)
            return
        found = await asyncio.to_thread(self._runner.find_artifact, run.ident)
        if found is None or _killed(found):
            self._end(healing, run, self._early(run, StepState.UNKNOWN, _LOST))
            return
        if run.kind is StepKind.STEP and changed_nothing(found):
            found = replace(found, rc=None)
        with self._record.transaction():
            self._record.end_step(found)
            Story(self._record, healing).run_adopted(run, found)

    async def _result(
        self, healing: Healing, run: StepRun, build: Build, stop: asyncio.Event
    ) -> PlaybookResult:
        began = self._clock.monotonic()
        if run.kind is StepKind.ROLLBACK:
            _not_too_late(healing.attempts[-1], run)
        request = await _built(build, run.ident)
        if request is None:
            return self._early(run, StepState.SUCCESSFUL, _NOTHING_TO_DO)
        # The time limit counts from the recorded start.
        left = max(request.timeout - (self._clock.monotonic() - began), 0.0)
        return await self._run(healing, replace(request, timeout=left), stop)

    def _early(self, run: StepRun, state: StepState, message: str) -> PlaybookResult:
        """Return the result of a run that brought none."""
        now = self._clock.now()
        return PlaybookResult(run.ident, state, None, run.started_at, now, message=message)

    def _end(self, healing: Healing, run: StepRun, result: PlaybookResult) -> None:
        self._unrecorded[run.ident] = result
        with self._record.transaction():
            self._record.end_step(result)
            Story(self._record, healing).run_ended(run, result)
        del self._unrecorded[run.ident]

    async def _run(
        self, healing: Healing, request: PlaybookRequest, stop: asyncio.Event
    ) -> PlaybookResult:
        """Run; a stop cancels the run and its result says so."""
        if stop.is_set():
            raise ExecutionError("stopped before it was started")
        running = asyncio.ensure_future(
            self._runner.run(request, self._task_recorder(healing, request.ident))
        )
        try:
            if not await settled(running, stop):
                await self._runner.cancel(request.ident)
            return await running
        finally:
            await cancelled(running)

    def _task_recorder(self, healing: Healing, ident: str) -> Callable[[TaskResult], None]:
        count = 0

        def recorded(task: TaskResult) -> None:
            nonlocal count
            count += 1
            try:
                with self._record.transaction():
                    self._record.add_task(ident, count, task, self._clock.now())
                    Story(self._record, healing).task_ended(ident, task)
            except StoreError as error:  # the run's end completes its tasks
                _log.warning("a task of run %s can't be recorded now: %s", ident, error)

        return recorded


def _killed(found: PlaybookResult) -> bool:
    """Tell whether it was ended by the engine as it died, or by a signal in the same moment.

    That says nothing about the playbook."""
    return found.state is StepState.CANCELLED or (found.rc is not None and found.rc < 0)


def _not_too_late(attempt: Attempt, rollback: StepRun) -> None:
    """Raise ExecutionError for a rollback that would find nothing, and pass for one that worked."""
    if rollback.started_at - attempt.started_at > UNDONE_WITHIN:
        raise ExecutionError(
            "it is more than six days late: what it needs may be gone from the hosts"
        )


async def _built(build: Build, ident: str) -> PlaybookRequest | None:
    """Build a request. Whatever goes wrong, Ansible was not started: steps before are undone."""
    try:
        return await build(ident)
    except (StoreError, ExecutionError, TemplateError):
        raise
    except Exception as error:
        _log.exception("the request of run %s can't be built", ident)
        reason = f"{type(error).__name__}: {error}"[:300]
        raise ExecutionError(f"the run can't be prepared: {reason}") from error
