"""The runbook's state machine: what to do next about a healing, decided from recorded data alone.

    start rung ─▶ run step … ─▶ validate ─▶ end attempt ─▶ finish
                     │              │            ▲   └──▶ start the next batch, or the next rung
                     └─ failed ─────┴─▶ roll back … newest first

`next_move` is pure: after a crash, a restart or an upgrade the same record gives the same move.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.model import (
    Attempt,
    Healing,
    OnFailure,
    Outcome,
    Refusal,
    Refused,
    Solution,
    Stage,
    Step,
    StepKind,
    StepRun,
    StepState,
    Strategy,
)

CHECK_MODE = "check mode"
_UNPROVEN = "it ran, but it has no validation: nothing is proven"


@dataclass(frozen=True, slots=True)
class StartRung:
    """Begin an attempt, if the gate lets it."""

    rung: int
    """Index into the ladder."""
    batch: int = 0
    """Which batch of hosts of a canary rollout; there may be no host left for it."""

    @property
    def stage(self) -> Stage:
        """What the gate is asked about."""
        return Stage.BATCH if self.batch else Stage.RUNG


@dataclass(frozen=True, slots=True)
class RunStep:
    """Run a step of the open attempt."""

    index: int
    """Number of the step in its solution."""


@dataclass(frozen=True, slots=True)
class RollBack:
    """Undo a step of the open attempt."""

    index: int
    """Number of the step in its solution."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Find out how a run ended whose end nobody recorded."""

    ident: str
    """The run."""


@dataclass(frozen=True, slots=True)
class Validate:
    """Prove, or disprove, that the open attempt healed."""


@dataclass(frozen=True, slots=True)
class EndAttempt:
    """Close the open attempt."""

    outcome: Outcome
    """How it ended."""
    reason: str
    """One sentence."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Close the healing."""

    outcome: Outcome
    """How it ended."""
    reason: str
    """One sentence."""


Move = StartRung | RunStep | RollBack | Settle | Validate | EndAttempt | Finish


def next_move(healing: Healing) -> Move:
    """Return what to do next. A step that ended well is never returned again, a rollback once."""
    if healing.outcome is not None:
        return Finish(healing.outcome, healing.reason)
    if not healing.attempts:
        return _first_rung(healing)
    attempt = healing.attempts[-1]
    if attempt.outcome is None:
        return _in_attempt(healing, attempt)
    return _after_attempt(healing, attempt, attempt.outcome)


def _first_rung(healing: Healing) -> Move:
    if healing.stop_requested:
        return Finish(Outcome.DENIED, f"stopped before anything ran: {healing.stop_requested}")
    if not _has_rung(healing, 0):
        return Finish(Outcome.REFUSED, "there is no runbook to run, a human is needed")
    return StartRung(0)


def _has_rung(healing: Healing, rung: int) -> bool:
    """Tell whether that rung is a runbook; the engine leaves manual ones to people."""
    if rung >= len(healing.ladder):
        return False
    return healing.origin == "operator" or healing.ladder[rung].strategy is not Strategy.MANUAL


def _in_attempt(healing: Healing, attempt: Attempt) -> Move:
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
    if _is_check(healing) or step.on_failure is OnFailure.ABORT:
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
    if _is_check(healing):
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
    if _is_check(healing):
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


def _after_attempt(healing: Healing, attempt: Attempt, outcome: Outcome) -> Move:
    solution = healing.ladder[attempt.rung]
    reason = f"{solution.name}: {_attempt_reason(healing, attempt, solution, outcome)}"
    if outcome is Outcome.HEALED and attempt.hosts and not healing.stop_requested:
        return StartRung(attempt.rung, attempt.batch + 1)
    if outcome is Outcome.HEALED:
        return Finish(outcome, f"{reason}{_rollout(healing, attempt)}")
    if outcome not in (Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.REFUSED):
        return Finish(outcome, reason)
    if healing.stop_requested:
        return _stopped_between(healing, reason)
    if _is_check(healing) or _aborted(attempt, solution):
        return Finish(outcome, reason)
    if _has_rung(healing, attempt.rung + 1):
        return StartRung(attempt.rung + 1)
    return Finish(ladder_outcome(healing), f"no rung of the ladder helped; the last, {reason}")


def _stopped_between(healing: Healing, reason: str) -> Move:
    if not ran(healing):
        return Finish(Outcome.DENIED, f"stopped before anything ran: {healing.stop_requested}")
    return Finish(ladder_outcome(healing), reason)


def ran(healing: Healing) -> bool:
    """Tell whether any attempt was more than a refusal."""
    return any(attempt.outcome is not Outcome.REFUSED for attempt in healing.attempts)


def ladder_outcome(healing: Healing) -> Outcome:
    """Return what the attempts amount to when none healed: undone, nothing to undo, not run."""
    outcomes = {attempt.outcome for attempt in healing.attempts}
    if Outcome.ROLLED_BACK in outcomes:
        return Outcome.ROLLED_BACK
    return Outcome.FAILED if ran(healing) else Outcome.REFUSED


def after_last_batch(healing: Healing) -> Finish:
    """Return the end of a rollout that has no host left."""
    attempt = healing.attempts[-1]
    solution = healing.ladder[attempt.rung]
    why = _attempt_reason(healing, attempt, solution, Outcome.HEALED)
    return Finish(Outcome.HEALED, f"{solution.name}: {why}{_rollout(healing, attempt)}")


def _rollout(healing: Healing, last: Attempt) -> str:
    """Return how far a rollout got, for the reason of a healing that healed by one."""
    batches = [one for one in healing.attempts if one.rung == last.rung and one.hosts]
    if not batches:
        return ""
    hosts = sum(len(one.hosts) for one in batches)
    text = f"; rolled out on {hosts} hosts in {len(batches)} batches"
    return f"{text}, then stopped: {healing.stop_requested}" if healing.stop_requested else text


_OUTCOMES = {Refusal.DENIED: Outcome.DENIED, Refusal.EXPIRED: Outcome.EXPIRED}


def after_refusal(healing: Healing, rung: int, refused: Refused) -> Finish:
    """Return the end of a healing that may not go on with that rung, nor with any other.

    A human's no is the outcome. Any other refusal is when nothing ran, or the fault is gone; else
    what ran decides, and a rollout that was proven as far as it got has healed."""
    reason = f"rung {rung + 1} ({healing.ladder[rung].name}) was refused: {why_refused(refused)}"
    if outcome := _OUTCOMES.get(refused.reason):
        return Finish(outcome, reason)
    last = healing.attempts[-1] if healing.attempts else None
    if last and last.outcome is Outcome.HEALED and refused.reason is Refusal.FAULT_GONE:
        return Finish(Outcome.HEALED, f"{reason}{_rollout(healing, last)}")
    if refused.reason is Refusal.FAULT_GONE:
        return Finish(Outcome.REFUSED, reason)
    return Finish(ladder_outcome(healing), reason)


def why_refused(refused: Refused) -> str:
    """Return the refusal in words."""
    return f"{refused.reason.value}: {refused.detail}" if refused.detail else refused.reason.value


def is_retry(healing: Healing, move: Move) -> bool:
    """Tell whether the move runs a step once more that was cut off."""
    return isinstance(move, RunStep) and bool(_runs(healing.attempts[-1], move.index))


def instead_of_retry(healing: Healing) -> Move:
    """Return what to do about a cut-off step that may not be run again."""
    return _steps_done(healing, healing.ladder[healing.attempts[-1].rung])


def _attempt_reason(
    healing: Healing, attempt: Attempt, solution: Solution, outcome: Outcome
) -> str:
    """Return again why the attempt ended as it did: only its outcome is on record."""
    if attempt.reason:
        return attempt.reason
    match outcome:
        case Outcome.HEALED:
            move = _judge(healing, attempt, solution)
        case Outcome.UNKNOWN if _is_check(healing):
            return CHECK_MODE
        case Outcome.UNKNOWN:
            return "nothing proves the recovery" if solution.validate else _UNPROVEN
        case Outcome.FAILED if _aborted(attempt, solution) or _is_check(healing):
            return _said_of(_failing_run(attempt, solution), solution)
        case _:
            move = _undo(healing, attempt, solution)
    return move.reason if isinstance(move, EndAttempt) else outcome.value


def _aborted(attempt: Attempt, solution: Solution) -> bool:
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


def _is_check(healing: Healing) -> bool:
    return bool(healing.options.get("check"))
