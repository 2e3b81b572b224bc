"""What a restart of the engine means for time limits, stops and the order of healings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from selfheal.model import Healing, Kind, Outcome, PlaybookResult, StepKind, StepState
from selfheal.recovery import SqliteRuntime
from selfheal.recovery.executors import HANGS, Reply

from .nouns import solution_of, step_of
from .test_runtime import Engine, checks, submitted


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path / "record.db")
    yield engine
    await engine.close()


async def begin(engine: Engine, runtime: SqliteRuntime, healing: Healing, playbook: str) -> None:
    """Carry the healing on until that playbook is under way."""
    await runtime.submit(healing)
    await engine.until(lambda: playbook in engine.runner.playbooks)


async def test_a_time_limit_counts_from_the_recorded_start(engine: Engine) -> None:
    """What it took to find the hosts is taken off the time that the run has."""

    async def slow_inventory(inventory: str) -> tuple[str, ...]:
        await engine.clock.sleep(5)
        return ("web1",)

    step = step_of("a", timeout=7.0, limit="{{ target }}")
    runtime = engine.start({"a.yml": HANGS}, known_hosts=slow_inventory)
    healing = await engine.carry(runtime, submitted(solution_of("one", steps=(step,))))
    run = healing.attempts[0].steps[0]
    assert run.state is StepState.TIMEOUT
    assert run.ended_at is not None
    assert run.ended_at - run.started_at == pytest.approx(7.0)


async def test_a_step_of_a_dead_engine_never_runs_on(engine: Engine) -> None:
    """Run again after a restart it has the whole limit, from its own start; the first is over."""
    step = step_of("a", timeout=20.0, idempotent=True)
    ladder = solution_of("one", steps=(step,), validate=checks("proof.yml"))
    healing, first = submitted(ladder), engine.start({"a.yml": HANGS})
    await begin(engine, first, healing, "a.yml")
    await engine.clock.advance(15)
    await first.abort()
    second = engine.start({"a.yml": Reply(seconds=15)})
    await second.resume()
    ended = await engine.carry_on(second, healing)
    assert ended.outcome is Outcome.HEALED
    runs = [run for run in ended.attempts[0].steps if run.kind is StepKind.STEP]
    assert [run.state for run in runs] == [StepState.UNKNOWN, StepState.SUCCESSFUL]
    assert [request.timeout for request in engine.runner.requests[:1]] == [20.0]


async def test_a_negative_exit_code_is_a_kill_and_no_answer(engine: Engine) -> None:
    """A run that a signal ended, and whose engine died, is unknown: the proof decides."""
    healing, first = (
        submitted(solution_of("one", validate=checks("proof.yml"))),
        engine.start({"one.yml": HANGS}),
    )
    await begin(engine, first, healing, "one.yml")
    ident = engine.runner.requests[-1].ident
    await first.abort()
    second = engine.start()
    engine.runner.artifacts[ident] = PlaybookResult(ident, StepState.FAILED, -9, 1.0, 2.0)
    await second.resume()
    ended = await engine.carry_on(second, healing)
    assert ended.outcome is Outcome.HEALED
    assert ended.attempts[0].steps[0].state is StepState.UNKNOWN


async def test_a_stop_asked_for_while_no_engine_ran_is_obeyed_first(engine: Engine) -> None:
    """The next start runs nothing but rollbacks."""
    ladder = solution_of("one", steps=(step_of("a"), step_of("b", idempotent=True)))
    healing, first = submitted(ladder), engine.start({"b.yml": HANGS})
    await begin(engine, first, healing, "b.yml")
    await first.abort()
    engine.record.request_stop(healing.id, "the CLI")
    second = engine.start()
    await second.resume()
    ended = await engine.carry_on(second, healing)
    assert ended.outcome is Outcome.ROLLED_BACK
    assert engine.runner.playbooks == ["b.undo.yml", "a.undo.yml"]
    assert engine.told(Kind.HEALING)[-1].startswith("rolled back")


@pytest.mark.parametrize(
    ("days", "outcome", "undone"),
    [(5.9, Outcome.ROLLED_BACK, ["b.undo.yml", "a.undo.yml"]), (6.1, Outcome.ROLLBACK_FAILED, [])],
)
async def test_what_was_left_for_a_week_is_a_humans(
    engine: Engine, days: float, outcome: Outcome, undone: list[str]
) -> None:
    """A rollback whose memory may have been tidied away is not run: it would do nothing, well."""
    ladder = solution_of("one", steps=(step_of("a"), step_of("b")))
    healing, first = submitted(ladder), engine.start({"b.yml": HANGS})
    await begin(engine, first, healing, "b.yml")
    await first.abort()
    await engine.clock.advance(days * 24 * 3600)
    engine.record.request_stop(healing.id, "the CLI")
    second = engine.start()
    await second.resume()
    ended = await engine.carry_on(second, healing)
    assert (ended.outcome, engine.runner.playbooks) == (outcome, undone)


async def test_a_healing_that_was_under_way_goes_before_one_that_waited(engine: Engine) -> None:
    """Both need the same host: what is half done is finished first."""
    proof = checks("proof.yml")
    under_way = submitted(solution_of("one", steps=(step_of("a"), step_of("b")), validate=proof))
    waited = submitted(solution_of("two", validate=proof))
    first = engine.start({"b.yml": HANGS})
    await begin(engine, first, under_way, "b.yml")
    await first.submit(waited)
    await asyncio.sleep(0.01)
    await first.abort()
    second = engine.start(holder="another", is_dead=lambda lock: lock.holder == "test")
    await second.resume()
    await engine.until(lambda: len(engine.done) == 2)
    assert [healing.id for healing in engine.done] == [under_way.id, waited.id]
