"""What an engine makes of the runs of one that died: with scripted artifacts, and by real kills."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from selfheal.model import (
    Healing,
    Outcome,
    PlaybookResult,
    Refusal,
    Refused,
    Stage,
    StepKind,
    StepState,
    Validation,
    Verdict,
)
from selfheal.recovery.executors import FAILS, HANGS, Reply

from .gates import RuleGate, wait
from .nouns import solution_of, step_of
from .test_runtime import Engine, checks, submitted

PROOF = checks("proof.yml")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path / "record.db")
    yield engine
    await engine.close()


async def crashed(engine: Engine, hanging: str, *ladder: Any, **script: Any) -> Healing:
    """Return a healing whose engine died while the playbook `hanging` ran."""
    first = engine.start({hanging: HANGS, **script})
    healing = submitted(*ladder)
    await first.submit(healing)
    await engine.until(lambda: hanging in engine.runner.playbooks, 5)
    await first.abort()
    return healing


def artifact(engine: Engine, healing: Healing, state: StepState, rc: int | None) -> PlaybookResult:
    """Return what the artifact of the unfinished run is to show."""
    runs = engine.record.healing(healing.id).attempts[-1].steps
    (run,) = [run for run in runs if run.state is StepState.RUNNING]
    now = engine.clock.now()
    return PlaybookResult(run.ident, state, rc, now, now, message="as the artifact says")


async def go_on(
    engine: Engine, healing: Healing, found: PlaybookResult | None = None, **kwargs: Any
) -> Healing:
    """Start the next engine, which finds that artifact; return the healing as it ended."""
    runtime = engine.start(kwargs.pop("script", None), **kwargs)
    if found:
        engine.runner.artifacts[found.ident] = found
    await runtime.resume()
    return await engine.carry_on(runtime, healing)


async def test_a_step_that_had_ended_is_adopted(engine: Engine) -> None:
    """Its artifact shows success: it counts, is not run again, and the next step follows."""
    steps = (step_of("a"), step_of("b"))
    healing = await crashed(engine, "a.yml", solution_of("one", steps=steps, validate=PROOF))
    found = artifact(engine, healing, StepState.SUCCESSFUL, 0)
    ended = await go_on(engine, healing, found)
    assert ended.outcome is Outcome.HEALED
    assert engine.runner.playbooks == ["b.yml", "proof.yml"]
    assert ended.attempts[0].steps[0].message == "as the artifact says"
    assert any("had ended before the engine was back" in line for line in engine.told())


async def test_a_step_that_had_failed_is_rolled_back(engine: Engine) -> None:
    """Its artifact shows a failure of the playbook's own: undone, next rung."""
    ladder = (solution_of("one"), solution_of("two", validate=PROOF))
    healing = await crashed(engine, "one.yml", *ladder)
    ended = await go_on(engine, healing, artifact(engine, healing, StepState.FAILED, 2))
    assert [one.outcome for one in ended.attempts] == [Outcome.ROLLED_BACK, Outcome.HEALED]
    assert engine.runner.playbooks == ["one.undo.yml", "two.yml", "proof.yml"]


async def test_what_the_dying_engine_cancelled_is_unknown(engine: Engine) -> None:
    """`canceled` in the artifact is the engine's doing: the proof decides."""
    healing = await crashed(engine, "one.yml", solution_of("one", validate=PROOF))
    found = artifact(engine, healing, StepState.CANCELLED, None)
    ended = await go_on(engine, healing, found)
    assert ended.attempts[0].steps[0].state is StepState.UNKNOWN
    assert (ended.outcome, engine.runner.playbooks) == (Outcome.HEALED, ["proof.yml"])


async def test_an_idempotent_step_is_run_once_more(engine: Engine) -> None:
    """Only the author can say that; the gate is asked first, and may hold it up."""
    steps = (step_of("a", idempotent=True), step_of("b"))
    healing = await crashed(engine, "a.yml", solution_of("one", steps=steps, validate=PROOF))
    gate = RuleGate(lambda healing, rung, stage: wait() if stage is Stage.RETRY else None)
    runtime = engine.start(gate=gate)
    await runtime.resume()
    await engine.until(lambda: engine.record.healing(healing.id).waiting is not None, 5)
    assert engine.runner.playbooks == []
    gate.now(lambda *_: None)
    ended = await engine.carry_on(runtime, healing)
    assert (ended.outcome, ended.waiting) == (Outcome.HEALED, None)
    assert engine.runner.playbooks == ["a.yml", "b.yml", "proof.yml"]
    states = [run.state for run in ended.attempts[0].steps]
    assert states[:2] == [StepState.UNKNOWN, StepState.SUCCESSFUL]


async def test_a_retry_that_is_refused_is_left_to_the_proof(engine: Engine) -> None:
    """A final no to the second run: nothing of it runs, the validation decides."""
    stop = Refused(Refusal.FAULT_GONE, "resolved", Verdict.STOP)
    gate = RuleGate(lambda healing, rung, stage: stop if stage is Stage.RETRY else None)
    steps = (step_of("a", idempotent=True), step_of("b"))
    healing = await crashed(engine, "a.yml", solution_of("one", steps=steps, validate=PROOF))
    ended = await go_on(engine, healing, gate=gate)
    assert (ended.outcome, engine.runner.playbooks) == (Outcome.HEALED, ["proof.yml"])
    assert "not run again: resolved" in engine.told()


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (StepState.SUCCESSFUL, Outcome.ROLLED_BACK),
        (StepState.FAILED, Outcome.ROLLBACK_FAILED),
        (None, Outcome.ROLLBACK_FAILED),
    ],
)
async def test_a_rollback_is_adopted_or_a_human_is_called(
    engine: Engine, state: StepState | None, outcome: Outcome
) -> None:
    """A rollback runs once, even of an idempotent step: an end that nothing shows is a human's."""
    step = step_of("one", idempotent=True)
    solution = solution_of("one", steps=(step,))
    healing = await crashed(engine, "one.undo.yml", solution, **{"one.yml": FAILS})
    rc = {StepState.SUCCESSFUL: 0, StepState.FAILED: 2, None: None}[state]
    found = artifact(engine, healing, state, rc) if state else None
    ended = await go_on(engine, healing, found)
    assert ended.outcome is outcome
    assert engine.runner.playbooks == []


async def test_a_proof_that_was_cut_off_is_looked_at_anew(engine: Engine) -> None:
    """The run of a validation playbook does not stay open on record, and decides nothing."""
    healing = await crashed(engine, "proof.yml", solution_of("one", validate=PROOF))
    # An engine that is killed, not ended, leaves it open.
    engine.record.db.execute("UPDATE steps SET state = 'running' WHERE kind = 'validation'")
    ended = await go_on(engine, healing)
    runs = [run for run in ended.attempts[0].steps if run.kind is StepKind.VALIDATION]
    assert [run.state for run in runs] == [StepState.UNKNOWN, StepState.SUCCESSFUL]
    assert ended.outcome is Outcome.HEALED


@pytest.mark.parametrize(("down", "more"), [(5.0, 15.0), (3600.0, 0.0)])
async def test_a_validation_goes_on_with_the_time_that_was_left(
    engine: Engine, down: float, more: float
) -> None:
    """`within` counts from the first look, whatever the engine does meanwhile."""
    never = Validation("event", {}, within=30.0)
    healing = submitted(solution_of("one", validate=(never,)))
    first = engine.start()
    await first.submit(healing)
    await engine.until(lambda: any("validating" in line for line in engine.told()), 5)
    await engine.clock.advance(10)
    await first.abort()
    await engine.clock.advance(down)
    second = engine.start()
    began = engine.clock.now()
    await second.resume()
    ended = await engine.carry_on(second, healing)
    assert ended.outcome is Outcome.ROLLED_BACK
    assert abs((engine.clock.now() - began) - more) <= 2.0


async def test_a_service_that_holds_can_always_be_proven(engine: Engine) -> None:
    """After an hour's absence there is still time for `stable_for`: nothing good is undone."""
    steady = Validation("playbook", {"name": "p.yml"}, stable_for=5.0, within=30.0, timeout=60.0)
    healing = submitted(solution_of("one", validate=(steady,)))
    first = engine.start({"p.yml": HANGS})
    await first.submit(healing)
    await engine.until(lambda: "p.yml" in engine.runner.playbooks, 5)
    await first.abort()
    await engine.clock.advance(3600)
    ended = await go_on(engine, healing, script={"p.yml": Reply()})
    assert ended.outcome is Outcome.HEALED
