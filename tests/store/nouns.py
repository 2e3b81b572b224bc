"""Nouns for these tests: whole ones, with names that can be overridden."""

from dataclasses import replace
from typing import Any

from selfheal.model import (
    Attempt,
    Fault,
    Healing,
    HealingState,
    Outcome,
    PlaybookResult,
    Risk,
    Severity,
    Solution,
    Step,
    StepKind,
    StepRun,
    StepState,
    Strategy,
    TaskResult,
    Validation,
    new_id,
)

SOLUTION = Solution(
    name="restart-backend",
    root_cause="backend-*",
    strategy=Strategy.QUICK_FIX,
    risk=Risk.LOW,
    steps=(Step(name="restart", playbook="restart.yml", vars={"service": "backend"}),),
    validate=(Validation(kind="http", args={"url": "http://127.0.0.1"}),),
)


def a_fault(**changes: Any) -> Fault:
    fault = Fault(
        id=new_id("ft"),
        fingerprint="fp",
        type="connection_failure",
        severity=Severity.CRITICAL,
        component="backend",
        target="web1",
        message="down",
        starts_at=100.0,
        last_seen=100.0,
    )
    return replace(fault, **changes)


def a_healing(**changes: Any) -> Healing:
    healing = Healing(
        id=new_id("he"),
        incident_id="",
        fault_id="",
        resource="web1",
        state=HealingState.QUEUED,
        ladder=(SOLUTION,),
        context={"target": "web1"},
        created_at=100.0,
    )
    return replace(healing, **changes)


def an_attempt(healing: Healing, **changes: Any) -> Attempt:
    attempt = Attempt(new_id("at"), healing.id, 0, SOLUTION.name, started_at=110.0)
    return replace(attempt, **changes)


def a_step(attempt: Attempt | None = None, **changes: Any) -> StepRun:
    step = StepRun(
        ident=new_id("st"),
        attempt_id=attempt.id if attempt else "",
        kind=StepKind.STEP if attempt else StepKind.ACTION,
        index=0,
        name="restart",
        playbook="restart.yml",
        state=StepState.RUNNING,
        started_at=111.0,
    )
    return replace(step, **changes)


def a_task(name: str = "restart it") -> TaskResult:
    return TaskResult("web1", name, "ansible.builtin.command", "changed", 0.5, result={"rc": 0})


def a_result(step: StepRun, **changes: Any) -> PlaybookResult:
    result = PlaybookResult(step.ident, StepState.SUCCESSFUL, 0, 111.0, 112.0, tasks=(a_task(),))
    return replace(result, **changes)


OUTCOMES_THAT_COUNT = (
    Outcome.HEALED,
    Outcome.FAILED,
    Outcome.ROLLED_BACK,
    Outcome.ROLLBACK_FAILED,
)
