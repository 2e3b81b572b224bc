"""What the timeline says about a healing: lines that an operator understands at 3 a.m."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from selfheal.duration import format_duration
from selfheal.model import (
    Attempt,
    Healing,
    Kind,
    Outcome,
    PlaybookResult,
    Refusal,
    Refused,
    Solution,
    StepKind,
    StepRun,
    StepState,
    TaskResult,
    Validation,
    ValidationResult,
)
from selfheal.ports import Timeline

_MOST_NAMED = 10
_WORD = {
    StepKind.STEP: "step",
    StepKind.ROLLBACK: "rollback of step",
    StepKind.VALIDATION: "validation",
    StepKind.ACTION: "action",
}


class Story:
    """Tells the timeline about one healing."""

    def __init__(self, timeline: Timeline, healing: Healing) -> None:
        self._timeline = timeline
        self._healing = healing

    def accepted(self) -> None:
        names = ", then ".join(solution.name for solution in self._healing.ladder) or "nothing"
        where = self._healing.resource
        self._tell(Kind.HEALING, f"accepted for {where}: {names}", state="queued", resource=where)

    def no_place(self, places: int) -> None:
        """`places`: how many there are; all of them are taken."""
        text = f"waiting: all {places} places are taken"
        self._tell(Kind.HEALING, text, state="queued", resource=self._healing.resource)

    def waiting(self, reason: Refusal, detail: str) -> None:
        state = self._healing.state.value
        text = f"waiting: {detail or reason.value}"
        self._tell(Kind.HEALING, text, state=state, reason=reason.value)

    def started(self) -> None:
        where = self._healing.resource
        self._tell(Kind.HEALING, f"started on {where}", state="running", resource=where)

    def resumed(self) -> None:
        self._tell(Kind.HEALING, "taken up again after a restart of the engine", state="running")

    def unpaused(self) -> None:
        self._tell(Kind.HEALING, "it was paused: the record could not be written; it goes on")

    def handed_on(self) -> None:
        self._tell(
            Kind.HEALING, "the engine shuts down; it goes on after the next start", state="running"
        )

    def stop_asked(self, why: str) -> None:
        self._tell(Kind.HEALING, f"asked to stop: {why}", why=why)

    def ended(self, outcome: Outcome, reason: str, seconds: float) -> None:
        text = f"{_words(outcome)} after {format_duration(seconds)}: {reason}"
        self._tell(
            Kind.HEALING,
            text,
            state="done",
            outcome=outcome.value,
            reason=reason,
            seconds=round(seconds, 3),
        )

    def not_told(self, why: str) -> None:
        self._tell(Kind.NOTIFICATION, f"the end of the healing could not be passed on: {why}")

    def rung_begun(self, attempt: Attempt, solution: Solution) -> None:
        of = f"rung {attempt.rung + 1} of {len(self._healing.ladder)}"
        if attempt.hosts:
            of += f", batch {attempt.batch + 1} ({_listed(attempt.hosts)})"
        self._tell(
            Kind.ATTEMPT,
            f"{of}: {solution.name} ({_words(solution.strategy)}, risk {solution.risk.value})",
            attempt_id=attempt.id,
            rung=attempt.rung,
            solution=solution.name,
            batch=attempt.batch,
            hosts=list(attempt.hosts),
        )

    def left_out(self, gone: Sequence[str], late: Sequence[str]) -> None:
        """`gone` from the inventory, or `late`: not there yet when the rollout began."""
        whys = {"no longer in the inventory": gone, "not in it when the locks were taken": late}
        said = "; ".join(f"{why}: {_listed(hosts)}" for why, hosts in whys.items() if hosts)
        text = f"left out of the rollout: {said}"
        self._tell(Kind.ATTEMPT, text, gone=list(gone), late=list(late))

    def rung_ended(self, attempt: Attempt, outcome: Outcome, reason: str) -> None:
        self._tell(
            Kind.ATTEMPT,
            f"{attempt.solution} {_words(outcome)}: {reason}",
            attempt_id=attempt.id,
            rung=attempt.rung,
            solution=attempt.solution,
            outcome=outcome.value,
            reason=reason,
        )

    def run_begun(self, run: StepRun) -> None:
        self._tell(Kind.STEP, f"{_name(run)}: running {run.playbook}", **_run_data(run, run.state))

    def run_ended(self, run: StepRun, result: PlaybookResult) -> None:
        took = format_duration(result.ended_at - result.started_at)
        text = f"{_name(run)} {_words(result.state)} after {took}"
        data = _run_data(run, result.state) | {"rc": result.rc, "message": result.message}
        self._tell(Kind.STEP, f"{text}: {result.message}" if result.message else text, **data)

    def run_adopted(self, run: StepRun, result: PlaybookResult) -> None:
        text = f"{_name(run)} had ended before the engine was back: {_words(result.state)}"
        data = _run_data(run, result.state) | {"rc": result.rc, "message": result.message}
        data["adopted"] = True
        self._tell(Kind.STEP, f"{text}: {result.message}" if result.message else text, **data)

    def orphans_ended(self, run: StepRun, processes: int) -> None:
        text = f"{_name(run)}: ended {processes} processes that the dead engine had left running"
        self._tell(Kind.STEP, text, **_run_data(run, run.state), processes=processes)

    def not_run_again(self, refused: Refused) -> None:
        why = refused.detail or refused.reason.value
        self._tell(Kind.STEP, f"not run again: {why}", reason=refused.reason.value)

    def task_ended(self, ident: str, task: TaskResult) -> None:
        said = f": {task.message}" if task.message else ""
        self._tell(
            Kind.TASK,
            f"{task.host}: {task.task}: {task.status} ({format_duration(task.duration)}){said}",
            ident=ident,
            host=task.host,
            task=task.task,
            module=task.module,
            status=task.status,
            duration=task.duration,
        )

    def validation_begun(self, checks: Sequence[Validation]) -> None:
        within = max(check.within for check in checks)
        kinds = ", ".join(check.kind for check in checks)
        self._tell(
            Kind.VALIDATION,
            f"validating by {kinds}, for at most {format_duration(within)}",
            kinds=[check.kind for check in checks],
        )

    def validation_ended(self, result: ValidationResult) -> None:
        verdict = "holds" if result.ok else "does not hold"
        self._tell(
            Kind.VALIDATION,
            f"{result.name} {verdict}: {result.detail}",
            name=result.name,
            ok=result.ok,
            detail=result.detail,
            tries=result.tries,
        )

    def validation_given_up(self) -> None:
        self._tell(Kind.VALIDATION, "validation given up: somebody asked to stop")

    def _tell(self, kind: Kind, text: str, /, **data: Any) -> None:
        self._timeline.tell(
            kind,
            text,
            incident_id=self._healing.incident_id,
            healing_id=self._healing.id,
            data=data,
        )


def _listed(hosts: Sequence[str]) -> str:
    return ", ".join([*hosts[:_MOST_NAMED], *(["…"] if len(hosts) > _MOST_NAMED else [])])


def _name(run: StepRun) -> str:
    return f"{_WORD[run.kind]} {run.index + 1} ({run.name})"


def _run_data(run: StepRun, state: StepState) -> dict[str, Any]:
    return {
        "ident": run.ident,
        "attempt_id": run.attempt_id,
        "kind": run.kind.value,
        "index": run.index,
        "name": run.name,
        "playbook": run.playbook,
        "state": state.value,
    }


def _words(named: Any) -> str:
    return str(named.value).replace("_", " ")
