"""One attempt: its steps in order, the proof, the undoing; decided from recorded data alone."""

from __future__ import annotations

from selfheal.model import (
    Attempt,
    Healing,
    OnFailure,
    Outcome,
    Solution,
    Step,
    StepKind,
    StepRun,
    StepState,
)
from selfheal.recovery.move import (
    EndAttempt,
    Move,
    RollBack,
    RunStep,
    Settle,
    Validate,
)

CHECK_MODE = "check mode"
_UNPROVEN = "it ran, but it has no validation: nothing is proven"


def in_attempt(healing: Healing, attempt: Attempt) -> Move:
    """Return what to do next in an attempt that has not ended."""
    if running := [run for run in attempt.steps if _unsettled(run)]:
        return Settle(running[-1].ident)
    solution = healing.ladder[attempt.rung]
    if attempt.validations is not None:
        return _judge(healing, attempt, solution)
    if healing.stop_requested or _is_undoing(attempt):
        return _undo(healing, attempt, solution)
    for index in range(_first_step(healing), len(solution.steps)):
        if move := _at_step(healing, attempt, solution, index):
            return move
    return _steps_done(healing, solution)


def _unsettled(run: StepRun) -> bool:
    return run.state is StepState.RUNNING


def _is_undoing(attempt: Attempt) -> bool:
    return any(run.kind is StepKind.ROLLBACK for run in attempt.steps)


def _first_step(healing: Healing) -> int:
    """`from_step` is the step's number as an operator counts: the first is 1."""
    return max(int(healing.options.get("from_step") or 1), 1) - 1


def _at_step(healing: Healing, attempt: Attempt, solution: Solution, index: int) -> Move | None:
    """Return the move that this step calls for; None to go on with the next step."""
    step, runs = solution.steps[index], _runs(attempt, index)
    if not runs:
        return RunStep(index)
    state = runs[-1].state
    if state is StepState.SUCCESSFUL:
        return None
    if state is StepState.UNKNOWN:
        return _after_unknown(healing, solution, step, runs, index)
    if step.on_failure is OnFailure.CONTINUE:
        return None
    if is_check(healing) or step.on_failure is OnFailure.ABORT:
        return EndAttempt(Outcome.FAILED, _step_failed(step, runs[-1]))
    return _undo(healing, attempt, solution)


def _after_unknown(
    healing: Healing, solution: Solution, step: Step, runs: list[StepRun], index: int
) -> Move:
    # Only the author can say that a second run does no harm; a second crash is one too many.
    if step.idempotent and len(runs) == 1:
        return RunStep(index)
    return _steps_done(healing, solution)


def _steps_done(healing: Healing, solution: Solution) -> Move:
    if is_check(healing):
        return EndAttempt(Outcome.UNKNOWN, CHECK_MODE)
    if solution.validate:
        return Validate()
    return EndAttempt(Outcome.UNKNOWN, _UNPROVEN)


def _judge(healing: Healing, attempt: Attempt, solution: Solution) -> Move:
    """Validated: a proof makes it healed, even when somebody asks to stop meanwhile."""
    results = attempt.validations or ()
    if results and all(result.ok for result in results):
        held = "; ".join(f"{result.name}: {result.detail}" for result in results)
        return EndAttempt(Outcome.HEALED, f"proven by {held}")
    return _undo(healing, attempt, solution)


def _undo(healing: Healing, attempt: Attempt, solution: Solution) -> Move:
    """Roll back the next of the steps that ran, newest first, else end the attempt."""
    if is_check(healing):
        return EndAttempt(Outcome.UNKNOWN, f"{CHECK_MODE}, stopped: {healing.stop_requested}")
    rolled_back = {run.index: run for run in attempt.steps if run.kind is StepKind.ROLLBACK}
    for index in _ran(attempt):
        step, done = solution.steps[index], rolled_back.get(index)
        if not step.rollback:
            continue
        if done is None:
            return RollBack(index)
        if done.state is not StepState.SUCCESSFUL:
            why = f"rollback of step {step.name!r} {done.state.value}: {done.message}"
            return EndAttempt(Outcome.ROLLBACK_FAILED, why.rstrip(": "))
    why = _why_undone(healing, attempt, solution)
    if rolled_back:
        return EndAttempt(Outcome.ROLLED_BACK, f"{why}; everything that ran was undone")
    return EndAttempt(Outcome.FAILED, f"{why}; there was nothing to undo")


def _ran(attempt: Attempt) -> list[int]:
    """Return the steps that may have changed something, newest first."""
    indexes = [
        run.index for run in attempt.steps if run.kind is StepKind.STEP and not _never_started(run)
    ]
    return list(dict.fromkeys(reversed(indexes)))


def _never_started(run: StepRun) -> bool:
    """A failure without an exit code: Ansible was never started, or reached no host."""
    return run.state is StepState.FAILED and run.rc is None


def _why_undone(healing: Healing, attempt: Attempt, solution: Solution) -> str:
    if attempt.validations is not None:
        failed = [result for result in attempt.validations if not result.ok]
        said = "; ".join(f"{result.name}: {result.detail}" for result in failed)
        return f"it did not help: {said}" if said else "it proved nothing"
    failing = _failing_run(attempt, solution)
    if healing.stop_requested and (failing is None or failing.state is StepState.CANCELLED):
        return f"stopped: {healing.stop_requested}"
    return _said_of(failing, solution)


def _failing_run(attempt: Attempt, solution: Solution) -> StepRun | None:
    """Return the step that decided against the attempt: the last that did not end well."""
    for run in reversed(attempt.steps):
        if (
            run.kind is StepKind.STEP
            and run.state is not StepState.SUCCESSFUL
            and solution.steps[run.index].on_failure is not OnFailure.CONTINUE
        ):
            return run
    return None


def _said_of(failing: StepRun | None, solution: Solution) -> str:
    if failing is None:
        return "it failed"
    return _step_failed(solution.steps[failing.index], failing)


def is_retry(healing: Healing, move: Move) -> bool:
    """Tell whether the move runs a step once more that was cut off."""
    return isinstance(move, RunStep) and bool(_runs(healing.attempts[-1], move.index))


def instead_of_retry(healing: Healing) -> Move:
    """Return what to do about a cut-off step that may not be run again."""
    return _steps_done(healing, healing.ladder[healing.attempts[-1].rung])


def attempt_reason(healing: Healing, attempt: Attempt, solution: Solution, outcome: Outcome) -> str:
    """Return again why the attempt ended as it did: only its outcome is on record."""
    if attempt.reason:
        return attempt.reason
    match outcome:
        case Outcome.HEALED:
            move = _judge(healing, attempt, solution)
        case Outcome.UNKNOWN if is_check(healing):
            return CHECK_MODE
        case Outcome.UNKNOWN:
            return "nothing proves the recovery" if solution.validate else _UNPROVEN
        case Outcome.FAILED if aborted(attempt, solution) or is_check(healing):
            return _said_of(_failing_run(attempt, solution), solution)
        case _:
            move = _undo(healing, attempt, solution)
    return move.reason if isinstance(move, EndAttempt) else outcome.value


def aborted(attempt: Attempt, solution: Solution) -> bool:
    """Tell whether a failed step said that nothing more is to be done."""
    return attempt.outcome is Outcome.FAILED and any(
        solution.steps[run.index].on_failure is OnFailure.ABORT
        and run.state not in (StepState.SUCCESSFUL, StepState.UNKNOWN)
        for run in attempt.steps
        if run.kind is StepKind.STEP
    )


def _step_failed(step: Step, run: StepRun) -> str:
    return f"step {step.name!r} {run.state.value}: {run.message}".rstrip(": ")


def _runs(attempt: Attempt, index: int) -> list[StepRun]:
    return [run for run in attempt.steps if run.kind is StepKind.STEP and run.index == index]


def is_check(healing: Healing) -> bool:
    """Tell whether it runs in Ansible's check mode."""
    return bool(healing.options.get("check"))
