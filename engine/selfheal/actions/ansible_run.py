"""One Ansible run of an action: on record before it starts, told as it goes."""

from __future__ import annotations

from dataclasses import replace

from selfheal.actions.context import ActionContext, ActionResult, ActionStatus
from selfheal.errors import ExecutionError
from selfheal.model import (
    PlaybookRequest,
    PlaybookResult,
    StepKind,
    StepRun,
    StepState,
    TaskResult,
    new_id,
)


async def run_recorded(request: PlaybookRequest, context: ActionContext) -> PlaybookResult:
    """Run once under an ident of its own; a run that can't be started comes back as FAILED."""
    request = replace(request, ident=new_id("st"), inventory=context.services.inventory)
    _record_intent(request, context)
    try:
        result = await context.services.runner.run(
            request, _TaskRecorder(request.ident, context).take
        )
    except ExecutionError as error:
        now = context.services.clock.now()
        result = PlaybookResult(request.ident, StepState.FAILED, None, now, now, message=str(error))
    if context.services.steps:
        context.services.steps.end_step(result)
    return result


def as_action_result(name: str, result: PlaybookResult) -> ActionResult:
    """Return what the timeline is to know of the run."""
    data = {"playbook_name": name, "rc": result.rc, "ident": result.ident}
    if result.state is StepState.SUCCESSFUL:
        return ActionResult(data=data)
    message = f"{name}: {result.message or result.state.value}"
    return ActionResult(ActionStatus.FAILED, message, data)


def _record_intent(request: PlaybookRequest, context: ActionContext) -> None:
    if context.services.steps is None:
        return
    what = request.playbook or request.module
    started_at = context.services.clock.now()
    context.services.steps.add_step(
        StepRun(
            ident=request.ident,
            attempt_id="",
            kind=StepKind.ACTION,
            index=0,
            name=context.firing.rule,
            playbook=what,
            state=StepState.RUNNING,
            started_at=started_at,
        )
    )


class _TaskRecorder:
    """Numbers and records the tasks of one run."""

    def __init__(self, ident: str, context: ActionContext) -> None:
        self._ident = ident
        self._services = context.services
        self._seq = 0

    def take(self, task: TaskResult) -> None:
        self._seq += 1
        if self._services.steps:
            self._services.steps.add_task(self._ident, self._seq, task, self._services.clock.now())
