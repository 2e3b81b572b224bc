"""Healings while the record can't be written: they wait, and go on from what is on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from selfheal.errors import StoreError
from selfheal.model import Healing, HealingState, Outcome, StepState, TaskResult
from selfheal.recovery.executors import FAILS, HANGS, Reply

from .faulty import Disk
from .nouns import solution_of
from .test_runtime import Engine, checks, submitted

PROVEN = solution_of("one", validate=checks("proof.yml"))


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    engine = Engine(tmp_path / "record.db")
    yield engine
    await engine.close()


async def test_a_playbook_that_ends_while_the_disk_is_full_is_neither_lost_nor_run_again(
    engine: Engine,
) -> None:
    """Its end is recorded once there is room, with its tasks; then the healing goes on."""
    task = TaskResult("web1", "restart it", "command", "changed", 0.5)
    runtime = engine.start({"one.yml": Reply(seconds=3, tasks=(task,))})
    disk, healing = Disk(engine.record), submitted(PROVEN)
    await runtime.submit(healing)
    await engine.until(lambda: engine.runner.playbooks == ["one.yml"], 1)
    disk.full = True
    await engine.clock.advance(20)
    paused = engine.record.healing(healing.id)
    assert (paused.state, paused.attempts[0].steps[0].state) == (
        HealingState.RUNNING,
        StepState.RUNNING,
    )
    assert engine.done == []
    assert engine.runner.playbooks == ["one.yml"], "nothing begins that can't be recorded"
    disk.full = False
    ended = await engine.carry_on(runtime, healing)
    assert ended.outcome is Outcome.HEALED
    step = ended.attempts[0].steps[0]
    assert (step.state, step.rc, engine.record.tasks(step.ident)) == (
        StepState.SUCCESSFUL,
        0,
        [task],
    )
    assert engine.runner.playbooks == ["one.yml", "proof.yml"]
    assert "it was paused: the record could not be written; it goes on" in engine.told()
    assert engine.done == [ended]


@pytest.mark.parametrize("writes", range(12))
async def test_whichever_write_fails_the_healing_ends_as_it_would_have(
    engine: Engine, writes: int
) -> None:
    """The disk fills up before the n-th write and has room again later: no playbook runs twice."""
    ladder = (
        solution_of("one", validate=checks("bad.yml")),
        solution_of("two", validate=checks("proof.yml")),
    )
    script: dict[str, Reply | Sequence[Reply]] = {"bad.yml": FAILS}
    runtime, healing = engine.start(script), submitted(*ladder)
    await runtime.submit(healing)
    disk = Disk(engine.record)
    disk.writes_left = writes
    await engine.clock.advance(10)
    disk.writes_left, disk.full = None, False
    ended = await engine.carry_on(runtime, healing, 120)
    assert ended.outcome is Outcome.HEALED, ended.reason
    steps = [name for name in engine.runner.playbooks if name not in ("bad.yml", "proof.yml")]
    assert steps == ["one.yml", "one.undo.yml", "two.yml"]
    assert engine.done == [ended]


async def test_a_try_that_could_not_be_recorded_disproves_nothing(engine: Engine) -> None:
    """A validation cut short by a full disk is made anew, side by side with the others."""
    both = (*checks("a.yml"), *checks("b.yml"))
    runtime = engine.start({"a.yml": Reply(seconds=1), "b.yml": Reply(seconds=2)})
    disk, healing = Disk(engine.record), submitted(solution_of("one", validate=both))
    await runtime.submit(healing)
    await engine.until(lambda: "b.yml" in engine.runner.playbooks, 1)
    disk.full = True
    await engine.clock.advance(5)
    disk.full = False
    ended = await engine.carry_on(runtime, healing)
    assert (ended.outcome, len(ended.attempts)) == (Outcome.HEALED, 1)
    assert all(run.state is not StepState.RUNNING for run in ended.attempts[0].steps)


async def test_an_end_that_could_not_be_noted_is_told_again(engine: Engine) -> None:
    """Whoever waits for the end can't write it down at first: told anew, once there is room."""
    told: list[str] = []
    disk = Disk(engine.record)

    async def note(healing: Healing) -> None:
        told.append(healing.id)
        disk.full = disk.full or len(told) == 1
        engine.record.set_waiting(healing.id, None)

    runtime = engine.start(on_done=note)
    healing = submitted(PROVEN)
    await runtime.submit(healing)
    await engine.until(lambda: told != [])
    await engine.clock.advance(5)
    assert engine.record.healing(healing.id).outcome is Outcome.HEALED
    assert told == [healing.id]
    disk.full = False
    await engine.until(lambda: len(told) == 2)
    await engine.until(lambda: runtime.idle)
    assert told == [healing.id] * 2


async def test_a_shutdown_does_not_wait_for_the_disk(engine: Engine) -> None:
    """A paused healing is handed on; the next engine adopts what had ended meanwhile."""
    first = engine.start({"one.yml": Reply(seconds=3)})
    disk, healing = Disk(engine.record), submitted(PROVEN)
    await first.submit(healing)
    await engine.until(lambda: engine.runner.playbooks == ["one.yml"], 1)
    disk.full = True
    await engine.clock.advance(5)
    await first.drain()
    disk.full = False
    left = engine.runner.artifacts
    second = engine.start()
    engine.runner.artifacts.update(left)
    await second.resume()
    ended = await engine.carry_on(second, healing)
    assert (ended.outcome, engine.runner.playbooks) == (Outcome.HEALED, ["proof.yml"])
    assert ended.attempts[0].steps[0].state is StepState.SUCCESSFUL


async def test_what_the_record_alone_refuses_for_good_ends_and_calls_a_human(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is written but one thing that the record never takes: after some minutes that is it."""

    def refused(*args: Any) -> None:
        raise StoreError("the record refuses it")

    monkeypatch.setattr(engine.record, "set_validations", refused)
    runtime = engine.start()
    ended = await engine.carry(runtime, submitted(PROVEN), 1200)
    assert ended.outcome is Outcome.UNKNOWN
    assert ended.reason == "the engine failed: StoreError: the record refuses it"
    assert engine.done == [ended]


async def test_a_stop_reaches_a_healing_that_was_paused(engine: Engine) -> None:
    """Asked for as soon as there is room: what ran is undone."""
    runtime = engine.start({"one.yml": HANGS})
    disk, healing = Disk(engine.record), submitted(PROVEN)
    await runtime.submit(healing)
    await engine.until(lambda: engine.runner.playbooks == ["one.yml"], 1)
    disk.full = True
    with pytest.raises(StoreError):
        await runtime.stop(healing.id, "alice")
    await engine.clock.advance(400)  # beyond the step's time limit
    disk.full = False
    engine.record.request_stop(healing.id, "alice")
    ended = await engine.carry_on(runtime, healing)
    assert ended.outcome is Outcome.ROLLED_BACK
    assert engine.runner.playbooks == ["one.yml", "one.undo.yml"]
