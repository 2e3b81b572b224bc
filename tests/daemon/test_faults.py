"""From a fault to its end. Ansible's part does not matter here: `MemoryRunner` stands in for it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from selfheal.clock import SystemClock
from selfheal.config import load_project
from selfheal.daemon.closing import close_by_hand
from selfheal.errors import StoreError
from selfheal.model import (
    Autonomy,
    AutonomyChange,
    Event,
    FaultState,
    HealingState,
    IncidentState,
    Kind,
    Outcome,
    Pause,
    Refusal,
    Scope,
    new_id,
)
from selfheal.notification import FanoutNotifier
from selfheal.recovery import SqliteRuntime
from selfheal.recovery.executors import MemoryRunner
from selfheal.recovery.executors.memory import FAILS, HANGS, Reply
from selfheal.store import open_record

from .hook import listening, silent
from .support import RULES, engine_inside, write_project

AT_ONCE = {"cooldown": False, "settle": False}
"""Rails that let the same be done twice in a row."""


def heals(folder: Path, seconds: float = 0.0) -> Reply:
    """Return a playbook's reply after which the proof is there."""
    return Reply(seconds=seconds, effect=lambda request: (folder / "proof").touch())


class AheadClock(SystemClock):
    """The machine's clock, put forward by hand."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


def failing_once(owner: type, method: str, error: Exception) -> Any:
    """Let the first call of the method raise; later ones are the real thing."""
    real, calls = getattr(owner, method), iter([error])

    async def flaky(self: Any, *args: Any) -> Any:
        if failure := next(calls, None):
            raise failure
        return await real(self, *args)

    return mock.patch.object(owner, method, flaky)


async def test_a_repeat_joins_its_fault(tmp_path: Path) -> None:
    """A fault that is reported three times while it stands is healed once, and counted."""
    runner = MemoryRunner({"restart.yml": heals(tmp_path, 0.5)})
    async with engine_inside(write_project(tmp_path), runner) as engine:
        engine.emit({"down": "web1"}, {"down": "web1"}, {"down": "web1"})
        await engine.until(lambda: engine.told("reported again (3 times)"))
        await engine.until(lambda: engine.states() == [IncidentState.HEALED])
        fault = engine.record.fault(engine.incidents()[0].primary_fault_id)
        assert (fault.count, fault.state) == (3, FaultState.HEALED)
        assert runner.playbooks == ["restart.yml"]
        assert len(engine.healings()) == 1


async def test_what_could_not_be_submitted_is_healed_once_it_can(tmp_path: Path) -> None:
    """A fault that the record could take no healing for waits for it, and is not reported twice."""
    runner = MemoryRunner({"restart.yml": heals(tmp_path)})
    with failing_once(SqliteRuntime, "submit", StoreError("database is locked")):
        async with engine_inside(write_project(tmp_path), runner) as engine:
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.states() == [IncidentState.HEALED])
            assert len(engine.healings()) == 1
    assert runner.playbooks == ["restart.yml"]


async def test_an_end_that_could_not_be_written_is_passed_on(tmp_path: Path) -> None:
    """A healing that ended while the record refused is handed to a human once it can be written,
    and once only; a report that comes meanwhile runs nothing again."""
    failure = StoreError("database is locked")
    async with listening() as hook:
        folder = write_project(tmp_path, notify=hook.config)
        runner = MemoryRunner()
        with failing_once(FanoutNotifier, "notify", failure):
            async with engine_inside(folder, runner) as engine:
                engine.emit({"down": "web1"})
                await engine.until(lambda: engine.told("told webhook 1"))
                engine.emit({"down": "web1"}, {"down": "web1"})
                await engine.until(lambda: engine.told("reported again (3 times)"))
                assert engine.states() == [IncidentState.MANUAL]
                assert len(engine.healings()) == 1
    assert len(hook.messages) == 1
    assert len(runner.playbooks) == 4


async def test_a_healing_stopped_before_it_was_asked_about_is_a_humans(tmp_path: Path) -> None:
    """`runs stop` on what is still held back ends it, and the next start is none the worse."""
    folder = write_project(tmp_path)
    async with engine_inside(folder, MemoryRunner()) as engine:
        pause = Pause(new_id("pa"), Scope.GLOBAL, "", "a test", "ann", SystemClock().now())
        engine.record.add_pause(pause)
        engine.emit({"down": "web1"}, {"down": "web2"})
        await engine.until(lambda: len(engine.healings()) == 2)
        for healing in engine.healings():
            engine.record.request_stop(healing.id, "ann: not now")
        await engine.until(lambda: engine.states() == [IncidentState.MANUAL] * 2)
    async with engine_inside(folder, MemoryRunner()) as engine:
        assert engine.states() == [IncidentState.MANUAL] * 2


async def test_a_rule_silenced_in_mid_healing_still_calls_a_human(tmp_path: Path) -> None:
    """What was run and did not help is told, though the rule may only observe by now."""
    rails = {"cooldown": False, "settle": False}
    async with listening() as hook:
        folder = write_project(tmp_path, notify=hook.config, rails=rails)
        async with engine_inside(folder, MemoryRunner()) as engine:
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.told("validating by"))
            change = AutonomyChange(
                id=new_id("au"),
                ruleset="shop",
                rule="something is down",
                level=Autonomy.OBSERVE,
                written=Autonomy.AUTO,
                reason="a test",
                who="ann",
                at=SystemClock().now(),
            )
            engine.record.change_autonomy(change)
            await engine.until(lambda: engine.states() == [IncidentState.MANUAL])
            await engine.until(lambda: len(hook.messages) == 1)
    assert "tried restart: rolled_back" in hook.messages[0]["body"]


@pytest.mark.parametrize("cause", ["web-dead", "power-cut"])
async def test_a_human_is_called_again_after_a_crash(tmp_path: Path, cause: str) -> None:
    """An engine that dies while it calls the human leaves the incident open: the next one calls,
    after a ladder that has ended and after a refusal alike, and runs nothing again."""
    runner = MemoryRunner()
    async with listening() as hook:
        folder = write_project(tmp_path, notify=hook.config)
        with failing_once(FanoutNotifier, "notify", RuntimeError("killed here")):
            async with engine_inside(folder, runner) as engine:
                engine.emit({"down": "web1", "cause": cause})
                await engine.until(lambda: engine.told("killed here"))
                assert engine.states() == [IncidentState.OPEN]
        ran = list(runner.playbooks)
        async with engine_inside(folder, runner) as engine:
            await engine.until(lambda: engine.told("told webhook 1"))
            assert engine.states() == [IncidentState.MANUAL]
    assert len(hook.messages) == 1
    assert runner.playbooks == ran


async def test_a_fault_that_comes_back_is_healed_again(tmp_path: Path) -> None:
    """What was healed is over: the next report opens a fault of its own."""
    runner = MemoryRunner({"restart.yml": heals(tmp_path)})
    async with engine_inside(write_project(tmp_path, rails=AT_ONCE), runner) as engine:
        engine.emit({"down": "web1"})
        await engine.until(lambda: engine.states() == [IncidentState.HEALED])
        engine.emit({"down": "web1"})
        await engine.until(lambda: engine.states() == [IncidentState.HEALED] * 2)
        assert runner.playbooks == ["restart.yml", "restart.yml"]


async def test_a_report_from_before_the_end_is_the_healed_fault(tmp_path: Path) -> None:
    """An event taken in while the fault was being healed, and matched only by the next engine,
    belongs to that fault: it is counted, and nothing is restarted again."""
    runner = MemoryRunner({"restart.yml": heals(tmp_path)})
    folder = write_project(tmp_path, rails=AT_ONCE)
    async with engine_inside(folder, runner) as engine:
        engine.emit({"down": "web1"})
        await engine.until(lambda: engine.states() == [IncidentState.HEALED])
        ended = engine.record.fault(engine.incidents()[0].primary_fault_id).ended_at
        assert ended is not None
    with contextlib.closing(open_record(load_project(folder).database)) as record:
        late = Event(new_id("ev"), "probe", ended - 0.01, {"down": "web1"}, ruleset="shop")
        record.add([late])
    async with engine_inside(folder, runner) as engine:
        await engine.until(lambda: engine.told("reported again (2 times)"))
        assert engine.states() == [IncidentState.HEALED]
        assert runner.playbooks == ["restart.yml"]


async def test_an_echo_is_looked_at_before_it_is_healed(tmp_path: Path) -> None:
    """What is reported only while the target settles is healed if its proof does not hold then,
    and else is over: nothing runs, and no human is called."""
    runner = MemoryRunner({"restart.yml": heals(tmp_path)})
    rails = {"cooldown": False, "settle": "1s", "flapping": False}
    async with listening() as hook:
        folder = write_project(tmp_path, notify=hook.config, rails=rails)
        async with engine_inside(folder, runner) as engine:
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.states() == [IncidentState.HEALED])
            engine.emit({"down": "web1"})
            echo = [IncidentState.HEALED, IncidentState.RESOLVED]
            await engine.until(lambda: engine.states() == echo)
            assert runner.playbooks == ["restart.yml"]
            (tmp_path / "proof").unlink()
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.states() == [*echo, IncidentState.HEALED])
            (tmp_path / "proof").unlink()
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.states() == echo + [IncidentState.HEALED] * 2)
            assert runner.playbooks == ["restart.yml"] * 3
    assert hook.messages == []


async def test_healed_and_still_reported_calls_a_human_once(tmp_path: Path) -> None:
    """The same alert after the healing is let pass for five minutes; then a human gets the proof
    and the doubt, once, and nothing runs again until the world says that it is over."""
    rules = RULES.replace("severity: critical\n", "severity: critical\n          starts_at: 77\n")
    runner, clock = MemoryRunner({"restart.yml": heals(tmp_path)}), AheadClock()
    async with listening() as hook:
        folder = write_project(tmp_path, rules, notify=hook.config)
        async with engine_inside(folder, runner, clock=clock) as engine:
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.states() == [IncidentState.HEALED])
            clock.ahead = 280.0
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.told("reported again (2 times)"))
            assert engine.states() == [IncidentState.HEALED]
            clock.ahead = 320.0
            engine.emit({"down": "web1"}, {"down": "web1"})
            await engine.until(lambda: engine.told("reported again (4 times)"))
            await engine.until(lambda: engine.told("told webhook 1"))
            fault = engine.record.fault(engine.incidents()[0].primary_fault_id)
            assert (engine.states(), fault.state) == ([IncidentState.MANUAL], FaultState.MANUAL)
            engine.emit({"up": "web1"})
            await engine.until(lambda: engine.states() == [IncidentState.RESOLVED])
    [message] = hook.messages
    assert message["body"].startswith("validated as healed, yet still reported 5 minutes later")
    assert "tried restart: healed" in message["body"]
    assert runner.playbooks == ["restart.yml"]


async def test_closed_by_hand_and_still_reported_calls_a_human(tmp_path: Path) -> None:
    """An alert that goes on firing after somebody closed its incident is not ignored for ever."""
    rules = RULES.replace("severity: critical\n", "severity: critical\n          starts_at: 77\n")
    runner, clock = MemoryRunner(), AheadClock()
    async with listening() as hook:
        folder = write_project(tmp_path, rules, notify=hook.config)
        async with engine_inside(folder, runner, clock=clock) as engine:
            engine.emit({"down": "web1", "cause": "power-cut"})
            await engine.until(lambda: engine.states() == [IncidentState.MANUAL])
            close_by_hand(engine.record, engine.incidents()[0], "ann: mended", clock.now())
            clock.ahead = 320.0
            engine.emit({"down": "web1", "cause": "power-cut"})
            await engine.until(lambda: engine.states() == [IncidentState.MANUAL])
            await engine.until(lambda: len(hook.messages) == 2)
    assert hook.messages[1]["body"].startswith("resolved, yet still reported 5 minutes later")
    assert "selfheal incidents close" in hook.messages[0]["body"]


async def test_one_resource_is_healed_one_at_a_time(tmp_path: Path) -> None:
    """Two components of one target are healed one after the other, another target beside them."""
    runner = MemoryRunner({"restart.yml": heals(tmp_path, 0.4)})
    async with engine_inside(write_project(tmp_path, rails=AT_ONCE), runner) as engine:
        engine.emit({"down": "web1", "component": "web"}, {"down": "web1", "component": "cache"})
        engine.emit({"down": "web2"})
        await engine.until(lambda: engine.all_healed(3))
        spans = {
            (one.resource, engine.record.fault(one.fault_id).component): (
                one.started_at or 0.0,
                one.ended_at or 0.0,
            )
            for one in engine.healings()
        }
    first, second = spans["web1", "web"], spans["web1", "cache"]
    assert first[1] <= second[0]
    assert spans["web2", "web"][0] < first[1]


async def test_the_end_of_the_ladder_calls_a_human(tmp_path: Path) -> None:
    """When no rung helps, the webhook gets every attempt, its rollback and what the proof saw."""
    failed = Reply(FAILS.state, message="no space left on device")
    runner = MemoryRunner({"replace.yml": failed})
    async with listening() as hook:
        folder = write_project(tmp_path, notify=hook.config)
        async with engine_inside(folder, runner) as engine:
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.told("told webhook 1"))
            await engine.until(lambda: engine.states() == [IncidentState.MANUAL])
            incident = engine.incidents()[0]
            assert engine.healings()[0].outcome is Outcome.ROLLED_BACK
    assert runner.playbooks == [
        "restart.yml",
        "restart.undo.yml",
        "replace.yml",
        "replace.undo.yml",
    ]
    [message] = hook.messages
    assert message["subject"] == "web on web1: it does not answer"
    assert message["data"]["incident_id"] == incident.id
    assert message["data"]["outcome"] == "rolled_back"
    for line in (
        "critical connection_failure: it does not answer",
        "root cause: web-dead; reported once",
        "decided: run restart",
        "tried restart: rolled_back",
        "did not hold within 0.3s; last seen: rc 1",
        "rollback restart.yml: successful",
        "tried replace: rolled_back",
        "step replace.yml: failed no space left on device",
        f"selfheal incidents show {incident.id}",
    ):
        assert line in message["body"]
    assert message["text"] == f"{message['subject']}\n{message['body']}"


@pytest.mark.parametrize(
    ("cause", "refusal", "reason"),
    [
        ("", Refusal.NO_ROOT_CAUSE, "the rule names no root cause"),
        ("power-cut", Refusal.NO_SOLUTION, "no solution's root_cause fits power-cut"),
    ],
)
async def test_a_refusal_has_its_reason(
    tmp_path: Path, cause: str, refusal: Refusal, reason: str
) -> None:
    """What is not healed is refused by name, with a reason, runs nothing and calls a human."""
    runner = MemoryRunner()
    async with listening() as hook:
        folder = write_project(tmp_path, notify=hook.config)
        async with engine_inside(folder, runner) as engine:
            engine.emit({"down": "web1", "cause": cause})
            await engine.until(lambda: engine.told("told webhook 1"))
            incident = engine.incidents()[0]
            [decision] = engine.record.decisions(incident.id)
            assert incident.state is IncidentState.MANUAL
            assert decision.refused is refusal
            assert reason in " ".join(decision.reasoning)
            assert f"refused: {refusal.value}" in engine.texts(Kind.DECISION)
            assert engine.healings() == []
    [message] = hook.messages
    assert reason in message["body"]
    assert message["data"]["outcome"] == "refused"
    assert runner.playbooks == []


async def test_a_webhook_that_is_down_costs_only_the_message(tmp_path: Path) -> None:
    """A human who can't be told is told so in the timeline, and the next fault is seen to."""
    folder = write_project(
        tmp_path, notify={"webhooks": [{"url": "http://127.0.0.1:1/hook", "timeout": "2s"}]}
    )
    runner = MemoryRunner({"restart.yml": heals(tmp_path)})
    async with engine_inside(folder, runner) as engine:
        engine.emit({"down": "web1", "cause": "power-cut"}, {"down": "web2"})
        await engine.until(lambda: engine.told("could not tell webhook 1"))
        await engine.until(lambda: engine.states() == [IncidentState.MANUAL, IncidentState.HEALED])


async def test_a_slow_webhook_holds_up_no_other_fault(tmp_path: Path) -> None:
    """While a chat service takes its time with one refusal, the next fault is already healed."""
    async with silent() as url:
        notify = {"webhooks": [{"url": url, "timeout": "15s"}]}
        folder = write_project(tmp_path, notify=notify)
        runner = MemoryRunner({"restart.yml": heals(tmp_path)})
        async with engine_inside(folder, runner) as engine:
            engine.emit({"down": "web1", "cause": "power-cut"}, {"down": "web2"})
            await engine.until(lambda: IncidentState.HEALED in engine.states(), within=10.0)
            assert not engine.told("could not tell")


async def test_resolve_closes_what_a_human_has(tmp_path: Path) -> None:
    """A fault that waits for a human is closed when the world says that it is over."""
    async with engine_inside(write_project(tmp_path)) as engine:
        engine.emit({"down": "web1", "cause": "power-cut"})
        await engine.until(lambda: engine.states() == [IncidentState.MANUAL])
        engine.emit({"up": "web1"})
        await engine.until(lambda: engine.states() == [IncidentState.RESOLVED])
        incident = engine.incidents()[0]
        assert engine.record.fault(incident.primary_fault_id).state is FaultState.RESOLVED
        assert incident.closed_at


async def test_resolve_touches_only_its_target(tmp_path: Path) -> None:
    """Another target's fault stands on."""
    async with engine_inside(write_project(tmp_path)) as engine:
        engine.emit({"down": "web1", "cause": "x"}, {"down": "web2", "cause": "x"})
        await engine.until(lambda: engine.states() == [IncidentState.MANUAL] * 2)
        engine.emit({"up": "web2"})
        await engine.until(
            lambda: engine.states() == [IncidentState.MANUAL, IncidentState.RESOLVED]
        )


async def test_resolved_while_healing_begins_no_further_rung(tmp_path: Path) -> None:
    """The running attempt ends, undone since unproven; the next rung is refused, nobody called."""
    runner = MemoryRunner({"restart.yml": Reply(seconds=0.5)})
    async with listening() as hook:
        folder = write_project(tmp_path, notify=hook.config)
        async with engine_inside(folder, runner) as engine:
            engine.emit({"down": "web1"})
            await engine.until(lambda: runner.playbooks)
            engine.emit({"up": "web1"})
            await engine.until(lambda: engine.told("resolved: it does not answer"))
            assert engine.healings()[0].state is HealingState.RUNNING
            await engine.until(lambda: engine.states() == [IncidentState.RESOLVED])
            assert "refused: fault_gone" in engine.texts(Kind.DECISION)
    assert runner.playbooks == ["restart.yml", "restart.undo.yml"]
    assert hook.messages == []


async def test_a_stop_from_outside_rolls_back(tmp_path: Path) -> None:
    """A stop that another process leaves on the record ends the running step and undoes it."""
    runner = MemoryRunner({"restart.yml": HANGS})
    async with engine_inside(write_project(tmp_path), runner) as engine:
        engine.emit({"down": "web1"})
        await engine.until(lambda: runner.playbooks)
        engine.record.request_stop(engine.healings()[0].id, "an operator: wrong host")
        await engine.until(lambda: engine.states() == [IncidentState.MANUAL])
        healing = engine.healings()[0]
        assert healing.outcome is Outcome.ROLLED_BACK
        assert "wrong host" in healing.reason
    assert runner.playbooks == ["restart.yml", "restart.undo.yml"]


async def test_a_failed_rollback_stops_the_ladder(tmp_path: Path) -> None:
    """When undoing fails no further rung is tried: a human must look."""
    runner = MemoryRunner({"restart.undo.yml": FAILS})
    async with engine_inside(write_project(tmp_path), runner) as engine:
        engine.emit({"down": "web1"})
        await engine.until(lambda: engine.states() == [IncidentState.MANUAL])
        assert engine.healings()[0].outcome is Outcome.ROLLBACK_FAILED
    assert runner.playbooks == ["restart.yml", "restart.undo.yml"]


async def test_the_ladder_is_that_of_the_rulebook(tmp_path: Path) -> None:
    """A second rung heals, and the record afterwards knows what each solution is worth."""
    runner = MemoryRunner({"replace.yml": heals(tmp_path)})
    async with engine_inside(write_project(tmp_path, RULES), runner) as engine:
        engine.emit({"down": "web1"})
        await engine.until(lambda: engine.states() == [IncidentState.HEALED])
        rates = {one.name: one.success_rate for one in engine.record.solution_records()}
    assert rates == {"restart": 0.0, "replace": 1.0}
