"""One Ansible run of an action: on record before it starts, told as it goes."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from selfheal.actions.context import ActionContext, ActionResult, ActionStatus
from selfheal.actions.recorded import until_recorded
from selfheal.errors import ExecutionError, StoreError
from selfheal.model import (
    PlaybookRequest,
    PlaybookResult,
    StepKind,
    StepRun,
    StepState,
    TaskResult,
    new_id,
)

log = logging.getLogger(__name__)


class RecordedRun:
    """The tries of one action; the first is the one an earlier engine began, if it did."""

    def __init__(self, request: PlaybookRequest, context: ActionContext) -> None:
        self._request = request
        self._context = context
        self._services = context.services
        self._begun = context.begun

    async def once(self) -> PlaybookResult:
        """Run under an ident of its own; a run that can't be started comes back as FAILED, one
        that was begun and shows no end as UNKNOWN."""
        if ident := self._begun:
            self._begun = ""
            found = await asyncio.to_thread(self._services.find_artifact, ident)
            why = "the engine ended while it ran; it is not run again"
            result = found or self._ended(ident, StepState.UNKNOWN, why)
        else:
            result = await self._run(new_id("st"))
        await until_recorded(self._context, partial(self._record_end, result))
        return result

    async def _run(self, ident: str) -> PlaybookResult:
        request = replace(self._request, ident=ident, inventory=self._services.inventory)
        await until_recorded(self._context, partial(_record_intent, request, self._context))
        try:
            take = _TaskRecorder(ident, self._context).take
            return await self._services.runner.run(request, take)
        except ExecutionError as error:
            return self._ended(ident, StepState.FAILED, str(error))

    async def _record_end(self, result: PlaybookResult) -> None:
        if self._services.steps:
            self._services.steps.end_step(result)

    def _ended(self, ident: str, state: StepState, message: str) -> PlaybookResult:
        now = self._services.clock.now()
        return PlaybookResult(ident, state, None, now, now, message=message)


def as_action_result(name: str, result: PlaybookResult) -> ActionResult:
    """Return what the timeline is to know of the run."""
    data = {"playbook_name": name, "rc": result.rc, "ident": result.ident}
    if result.state is StepState.SUCCESSFUL:
        return ActionResult(data=data)
    message = f"{name}: {result.message or result.state.value}"
    unknown = result.state is StepState.UNKNOWN
    return ActionResult(ActionStatus.UNKNOWN if unknown else ActionStatus.FAILED, message, data)


async def _record_intent(request: PlaybookRequest, context: ActionContext) -> None:
    """Before anything happens: a run that is not on record is known not to have begun."""
    firings, steps = context.services.firings, context.services.steps
    with firings.transaction() if firings else nullcontext():
        if firings:
            firings.begin_action(context.firing.id, context.index, request.ident)
        if steps:
            steps.add_step(_step(request, context))


def _step(request: PlaybookRequest, context: ActionContext) -> StepRun:
    return StepRun(
        ident=request.ident,
        attempt_id="",
        kind=StepKind.ACTION,
        index=0,
        name=context.firing.rule,
        playbook=request.playbook or request.module,
        state=StepState.RUNNING,
        started_at=context.services.clock.now(),
    )


class _TaskRecorder:
    """Numbers and records the tasks of one run."""

    def __init__(self, ident: str, context: ActionContext) -> None:
        self._ident = ident
        self._services = context.services
        self._seq = 0

    def take(self, task: TaskResult) -> None:
        self._seq += 1
        steps, now = self._services.steps, self._services.clock.now()
        try:
            if steps:
                steps.add_task(self._ident, self._seq, task, now)
        except StoreError as error:  # the run's end completes its tasks
            log.warning("a task of run %s can't be recorded now: %s", self._ident, error)
