"""next_move: the runbook's state machine, by example and by a random walk through its record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    Strategy,
    ValidationResult,
)
from selfheal.recovery.move import (
    EndAttempt,
    Finish,
    RollBack,
    RunStep,
    Settle,
    StartRung,
    Validate,
)
from selfheal.recovery.plan import next_move

from .nouns import healing_of, http, solution_of, step_of

OK, FAILED, TIMEOUT = StepState.SUCCESSFUL, StepState.FAILED, StepState.TIMEOUT
CANCELLED, UNKNOWN, RUNNING = StepState.CANCELLED, StepState.UNKNOWN, StepState.RUNNING


def run_of(index: int, state: StepState, kind: StepKind = StepKind.STEP, **kwargs: Any) -> StepRun:
    values: dict[str, Any] = {
        "ident": f"st-{kind.value}-{index}",
        "attempt_id": "at-1",
        "kind": kind,
        "index": index,
        "name": f"step {index}",
        "playbook": "p.yml",
        "state": state,
        "started_at": 0.0,
        "rc": {OK: 0, FAILED: 2}.get(state),
    }
    return StepRun(**{**values, **kwargs})


def undo_of(index: int, state: StepState) -> StepRun:
    return run_of(index, state, StepKind.ROLLBACK)


def seen(ok: bool) -> ValidationResult:
    return ValidationResult("http x", ok, "status 200" if ok else "status 500", 1, 0.0, 1.0)


def at(
    healing: Healing,
    *runs: StepRun,
    validations: tuple[ValidationResult, ...] | None = None,
    outcome: Outcome | None = None,
    rung: int = 0,
) -> Healing:
    """Return the healing with one more attempt."""
    attempt = Attempt(
        f"at-{rung}",
        healing.id,
        rung,
        healing.ladder[rung].name,
        0.0,
        outcome=outcome,
        steps=runs,
        validations=validations,
    )
    return replace(healing, attempts=(*healing.attempts, attempt))


TWO = solution_of(steps=(step_of("a"), step_of("b")))


def test_a_runbook_that_works() -> None:
    """Start, the steps in order, validate, healed."""
    healing = healing_of(TWO)
    assert next_move(healing) == StartRung(0)
    assert next_move(at(healing)) == RunStep(0)
    assert next_move(at(healing, run_of(0, OK))) == RunStep(1)
    done = (run_of(0, OK), run_of(1, OK))
    assert next_move(at(healing, *done)) == Validate()
    proven = at(healing, *done, validations=(seen(True),))
    assert next_move(proven) == EndAttempt(Outcome.HEALED, "proven by http x: status 200")
    ended = at(healing, *done, validations=(seen(True),), outcome=Outcome.HEALED)
    assert next_move(ended) == Finish(Outcome.HEALED, "quick: proven by http x: status 200")


@pytest.mark.parametrize("state", [FAILED, TIMEOUT, CANCELLED])
def test_a_step_that_failed_half_way_is_rolled_back_first(state: StepState) -> None:
    """The failing step ran too: rollbacks go newest first, then the next rung is tried."""
    healing = healing_of(TWO, solution_of("second"))
    runs = (run_of(0, OK), run_of(1, state, message="boom"))
    assert next_move(at(healing, *runs)) == RollBack(1)
    assert next_move(at(healing, *runs, undo_of(1, OK))) == RollBack(0)
    undone = (*runs, undo_of(1, OK), undo_of(0, OK))
    reason = f"step 'b' {state.value}: boom; everything that ran was undone"
    assert next_move(at(healing, *undone)) == EndAttempt(Outcome.ROLLED_BACK, reason)
    assert next_move(at(healing, *undone, outcome=Outcome.ROLLED_BACK)) == StartRung(1)


def test_a_step_that_never_started_needs_no_rollback() -> None:
    """A failure without an exit code changed nothing."""
    healing = at(healing_of(TWO), run_of(0, OK), run_of(1, FAILED, rc=None, message="no Ansible"))
    assert next_move(healing) == RollBack(0)


def test_what_does_not_help_is_undone() -> None:
    """Steps that ended well but whose validation failed are rolled back."""
    healing = at(healing_of(TWO), run_of(0, OK), run_of(1, OK), validations=(seen(False),))
    assert next_move(healing) == RollBack(1)


def test_steps_without_rollback_leave_nothing_to_undo() -> None:
    """Without rollback playbooks the attempt has failed, and the ladder goes on."""
    bare = solution_of(steps=(step_of("a", rollback=""),))
    healing = at(healing_of(bare), run_of(0, FAILED, message="boom"))
    move = next_move(healing)
    assert move == EndAttempt(Outcome.FAILED, "step 'a' failed: boom; there was nothing to undo")
    ended = at(healing_of(bare), run_of(0, FAILED), outcome=Outcome.FAILED)
    finish = next_move(ended)
    assert isinstance(finish, Finish)
    assert finish.outcome is Outcome.FAILED
    assert finish.reason.startswith("no rung of the ladder helped")


def test_a_failed_rollback_stops_the_ladder() -> None:
    """After a failed rollback nothing runs any more, not even the other rollbacks."""
    healing = healing_of(TWO, solution_of("second"))
    runs = (run_of(0, OK), run_of(1, FAILED), undo_of(1, FAILED))
    move = next_move(at(healing, *runs))
    assert move == EndAttempt(Outcome.ROLLBACK_FAILED, "rollback of step 'b' failed")
    finish = next_move(at(healing, *runs, outcome=Outcome.ROLLBACK_FAILED))
    assert isinstance(finish, Finish)
    assert finish.outcome is Outcome.ROLLBACK_FAILED


def test_on_failure_continue_goes_on_and_abort_stops() -> None:
    """`continue` runs the next step; `abort` undoes nothing and tries no other rung."""
    go_on = solution_of(steps=(step_of("a", on_failure=OnFailure.CONTINUE), step_of("b")))
    assert next_move(at(healing_of(go_on), run_of(0, FAILED))) == RunStep(1)
    abort = solution_of(steps=(step_of("a"), step_of("b", on_failure=OnFailure.ABORT)))
    healing = healing_of(abort, solution_of("second"))
    runs = (run_of(0, OK), run_of(1, FAILED, message="boom"))
    assert next_move(at(healing, *runs)) == EndAttempt(Outcome.FAILED, "step 'b' failed: boom")
    ended = at(healing, *runs, outcome=Outcome.FAILED)
    assert next_move(ended) == Finish(Outcome.FAILED, "quick: step 'b' failed: boom")


def test_without_a_validation_nothing_is_proven() -> None:
    """The outcome is unknown, and the next rung is not tried."""
    blind = solution_of(validate=())
    healing = healing_of(blind, solution_of("second"))
    move = next_move(at(healing, run_of(0, OK)))
    assert isinstance(move, EndAttempt)
    assert move.outcome is Outcome.UNKNOWN
    finish = next_move(at(healing, run_of(0, OK), outcome=Outcome.UNKNOWN))
    assert isinstance(finish, Finish)
    assert finish.outcome is Outcome.UNKNOWN


def test_a_stop_undoes_what_ran_and_finishes() -> None:
    """A stop before anything ran is a denial; later it rolls back and starts no other rung."""
    healing = replace(healing_of(TWO, solution_of("second")), stop_requested="alice: wrong host")
    assert next_move(healing) == Finish(
        Outcome.DENIED, "stopped before anything ran: alice: wrong host"
    )
    assert next_move(at(healing, run_of(0, OK))) == RollBack(0)
    undone = (run_of(0, OK), run_of(1, CANCELLED), undo_of(1, OK), undo_of(0, OK))
    reason = "stopped: alice: wrong host; everything that ran was undone"
    assert next_move(at(healing, *undone)) == EndAttempt(Outcome.ROLLED_BACK, reason)
    finish = next_move(at(healing, *undone, outcome=Outcome.ROLLED_BACK))
    assert finish == Finish(Outcome.ROLLED_BACK, f"quick: {reason}")


def test_a_stop_does_not_undo_a_proven_recovery() -> None:
    """When the proof is complete the healing is healed, stop or not."""
    healing = replace(healing_of(TWO), stop_requested="bob")
    move = next_move(at(healing, run_of(0, OK), run_of(1, OK), validations=(seen(True),)))
    assert isinstance(move, EndAttempt)
    assert move.outcome is Outcome.HEALED


def test_a_run_whose_end_nobody_saw_is_settled_first() -> None:
    """A recorded intent without an end (a crash) comes before anything else, even a stop."""
    healing = replace(healing_of(TWO), stop_requested="bob")
    assert next_move(at(healing, run_of(0, RUNNING))) == Settle("st-step-0")


def test_an_unknown_step_is_proven_or_rolled_back_and_rerun_only_if_idempotent() -> None:
    """Unknown: validate; what does not hold is undone. Idempotent: run again, once."""
    healing = healing_of(TWO)
    assert next_move(at(healing, run_of(0, UNKNOWN))) == Validate()
    assert next_move(at(healing, run_of(0, UNKNOWN), validations=(seen(False),))) == RollBack(0)
    again = healing_of(solution_of(steps=(step_of("a", idempotent=True),)))
    assert next_move(at(again, run_of(0, UNKNOWN))) == RunStep(0)
    assert next_move(at(again, run_of(0, UNKNOWN), run_of(0, UNKNOWN))) == Validate()
    blind = next_move(at(healing_of(solution_of(validate=())), run_of(0, UNKNOWN)))
    assert isinstance(blind, EndAttempt)
    assert blind.outcome is Outcome.UNKNOWN


def test_from_step_starts_in_the_middle() -> None:
    """`from_step: 2` begins with the second step; the first is never run nor rolled back."""
    healing = healing_of(TWO, options={"from_step": 2}, origin="operator")
    assert next_move(at(healing)) == RunStep(1)
    assert next_move(at(healing, run_of(1, FAILED), undo_of(1, OK))).__class__ is EndAttempt


def test_check_mode_neither_validates_nor_rolls_back() -> None:
    """Check mode proves nothing: unknown when all went well, failed when a step did."""
    healing = healing_of(TWO, solution_of("second"), options={"check": True}, origin="operator")
    done = at(healing, run_of(0, OK), run_of(1, OK))
    assert next_move(done) == EndAttempt(Outcome.UNKNOWN, "check mode")
    ended = at(healing, run_of(0, OK), run_of(1, OK), outcome=Outcome.UNKNOWN)
    assert next_move(ended) == Finish(Outcome.UNKNOWN, "quick: check mode")
    failed = at(healing, run_of(0, FAILED, message="boom"))
    assert next_move(failed) == EndAttempt(Outcome.FAILED, "step 'a' failed: boom")
    over = at(healing, run_of(0, FAILED, message="boom"), outcome=Outcome.FAILED)
    assert next_move(over) == Finish(Outcome.FAILED, "quick: step 'a' failed: boom")


def test_a_manual_rung_is_left_to_people() -> None:
    """The engine never runs a manual rung; an operator may."""
    manual = solution_of("call", strategy=Strategy.MANUAL)
    assert isinstance(next_move(healing_of(manual)), Finish)
    assert next_move(healing_of(manual, origin="operator")) == StartRung(0)
    assert isinstance(next_move(healing_of()), Finish)


STATES = st.sampled_from([OK, OK, OK, FAILED, TIMEOUT, CANCELLED, UNKNOWN])
SOLUTIONS = st.builds(
    lambda name, steps, validated, strategy: Solution(
        name, "*", strategy, solution_of().risk, tuple(steps), (http(),) if validated else ()
    ),
    name=st.sampled_from("xyz"),
    steps=st.lists(
        st.builds(
            lambda rollback, on_failure, idempotent: Step(
                "s",
                "p.yml",
                "r.yml" if rollback else "",
                on_failure=on_failure,
                idempotent=idempotent,
            ),
            st.booleans(),
            st.sampled_from(OnFailure),
            st.booleans(),
        ),
        max_size=4,
    ),
    validated=st.sampled_from([True, True, False]),
    strategy=st.sampled_from([Strategy.QUICK_FIX, Strategy.STANDARD, Strategy.MANUAL]),
)


def _ended(run: StepRun, state: StepState, started: bool) -> StepRun:
    rc = {OK: 0, FAILED: 2 if started else None}.get(state)
    return replace(run, state=state, rc=rc)


def _apply(healing: Healing, move: Any, data: st.DataObject) -> Healing:
    """Do the move as the runtime would, with an outcome by chance."""
    if isinstance(move, Finish):
        return replace(healing, outcome=move.outcome, reason=move.reason)
    if isinstance(move, StartRung):
        return at(healing, rung=move.rung)
    *earlier, attempt = healing.attempts
    match move:
        case RunStep(index) | RollBack(index):
            kind = StepKind.STEP if isinstance(move, RunStep) else StepKind.ROLLBACK
            ident = f"st-{attempt.id}-{len(attempt.steps)}"
            intent = run_of(index, RUNNING, kind, ident=ident)
            crashed = data.draw(st.integers(0, 9)) == 0
            state = RUNNING if crashed else data.draw(STATES)
            run = _ended(intent, state, data.draw(st.booleans()))
            attempt = replace(attempt, steps=(*attempt.steps, run))
        case Settle(ident):
            state = data.draw(STATES)
            steps = (
                _ended(run, state, True) if run.ident == ident else run for run in attempt.steps
            )
            attempt = replace(attempt, steps=tuple(steps))
        case Validate():
            attempt = replace(attempt, validations=(seen(data.draw(st.booleans())),))
        case EndAttempt(outcome, reason):
            assert reason
            attempt = replace(attempt, outcome=outcome)
    return replace(healing, attempts=(*earlier, attempt))


def _check_history(healing: Healing) -> None:
    """What must be true of every record, finished or not."""
    for attempt in healing.attempts:
        steps = healing.ladder[attempt.rung].steps
        forward = [run for run in attempt.steps if run.kind is StepKind.STEP]
        back = [run for run in attempt.steps if run.kind is StepKind.ROLLBACK]
        for index, step in enumerate(steps):
            runs = [run for run in forward if run.index == index]
            assert len(runs) <= (2 if step.idempotent else 1)
            assert all(run.state is UNKNOWN for run in runs[:-1]), "only the unknown runs again"
            assert sum(run.index == index for run in back) <= 1, "a rollback runs once"
        undone = [run.index for run in back]
        assert undone == sorted(undone, reverse=True), "newest first"
        assert all(any(run.index == i for run in forward) for i in undone), "only what ran"
        assert all(run.state in (OK, RUNNING) for run in back[:-1]), "none after a failed one"
        if back:
            first = attempt.steps.index(back[0])
            assert all(run.kind is StepKind.ROLLBACK for run in attempt.steps[first:])


@settings(max_examples=400, deadline=None)
@given(st.lists(SOLUTIONS, max_size=3), st.booleans(), st.data())
def test_random_walk(ladder: list[Solution], check: bool, data: st.DataObject) -> None:
    """Whatever happens, the walk ends, repeats nothing, and its outcome is true."""
    healing = healing_of(*ladder, options={"check": check})
    for _ in range(100):
        if not healing.stop_requested and data.draw(st.integers(0, 19)) == 0:
            healing = replace(healing, stop_requested="somebody")
        move = next_move(healing)
        if check:
            assert not isinstance(move, Validate | RollBack)
        if isinstance(move, StartRung):
            assert not healing.stop_requested
            assert move.rung == len(healing.attempts)
        healing = _apply(healing, move, data)
        _check_history(healing)
        if healing.outcome:
            break
    else:
        pytest.fail("the walk does not end")
    assert healing.reason
    assert all(attempt.outcome for attempt in healing.attempts)
    _check_outcome(healing)


def _check_outcome(healing: Healing) -> None:
    last = healing.attempts[-1] if healing.attempts else None
    assert all(
        attempt.outcome in (Outcome.FAILED, Outcome.ROLLED_BACK)
        for attempt in healing.attempts[:-1]
    )
    if healing.outcome is Outcome.HEALED:
        assert last is not None
        assert last.validations
        assert all(result.ok for result in last.validations)
    if last and last.outcome is Outcome.ROLLED_BACK:
        solution = healing.ladder[last.rung]
        undone = {run.index for run in last.steps if run.kind is StepKind.ROLLBACK}
        ran = {
            run.index
            for run in last.steps
            if run.kind is StepKind.STEP and (run.state is not FAILED or run.rc is not None)
        }
        assert undone == {index for index in ran if solution.steps[index].rollback}
        assert all(run.state is OK for run in last.steps if run.kind is StepKind.ROLLBACK)
    if last is None:
        assert healing.outcome in (Outcome.REFUSED, Outcome.DENIED)
