"""Start, reload, end of the engine: as the real program where the process matters."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from selfheal.clock import SystemClock
from selfheal.config import Project, load_project
from selfheal.daemon.by_hand import ByHand, find_solution
from selfheal.daemon.engine import Engine
from selfheal.daemon.leases import lease
from selfheal.errors import StoreError
from selfheal.masking import Secrets
from selfheal.model import (
    Fault,
    FaultState,
    Healing,
    HealingState,
    IncidentState,
    Kind,
    Outcome,
    Severity,
    StepState,
    new_id,
)
from selfheal.recovery.executors import MemoryRunner
from selfheal.recovery.executors.memory import FAILS, Reply
from selfheal.store import open_record
from tests.servers.base import free_port, listens

from .hook import listening
from .support import (
    RULES,
    Observer,
    engine_inside,
    engine_process,
    marked_processes,
    needs_ansible,
    post,
    with_source,
    without_ansible,
    write_project,
)

BROKEN = RULES.replace("event.down is defined", "event.down is is")


# Reload.


def test_reload_by_signal(tmp_path: Path) -> None:
    """SIGHUP takes good rulebooks up; wrong ones are refused whole, and the running ones stay."""
    folder = write_project(tmp_path)
    rulebook = folder / "rulebooks" / "shop.yml"
    with engine_process(folder) as engine:
        rulebook.write_text(RULES.replace("event.down", "event.broken"))
        engine.send(signal.SIGHUP)
        engine.until(lambda: engine.told("reloaded: 1 rulebooks, 2 rules, 0 sources"))
        engine.emit({"broken": "web1", "cause": "x"})
        engine.until(lambda: len(engine.incidents()) == 1)

        rulebook.write_text(BROKEN)
        engine.send(signal.SIGHUP)
        refused = "reload refused, the running rulebooks stay"
        engine.until(lambda: engine.told(refused))
        engine.emit({"broken": "web2", "cause": "x"})
        engine.until(lambda: len(engine.incidents()) == 2)
        [entry] = [one for one in engine.entries(Kind.ENGINE) if one.text.startswith(refused)]
        assert f"{rulebook}:6:" in entry.data["problems"][0]
        assert f"{rulebook}:6:" in engine.output


async def test_reload_by_message(tmp_path: Path) -> None:
    """A `reload` left on the record does the same."""
    folder = write_project(tmp_path)
    async with engine_inside(folder) as engine:
        engine.record.post("reload", {}, 0.0)
        await engine.until(lambda: engine.told("reloaded: "))


async def test_a_healing_under_way_survives_a_reload(tmp_path: Path) -> None:
    """Its ladder was frozen when it was accepted: a rulebook without it changes nothing."""
    folder = write_project(tmp_path)
    proof = Reply(seconds=1.0, effect=lambda request: (folder / "proof").touch())
    runner = MemoryRunner({"restart.yml": proof})
    async with engine_inside(folder, runner) as engine:
        engine.emit({"down": "web1"})
        await engine.until(lambda: runner.playbooks)
        without = RULES[: RULES.index("  solutions:")] + "  sources: [{tick: {delay: 60}}]\n"
        (folder / "rulebooks" / "shop.yml").write_text(without)
        engine.record.post("reload", {}, 0.0)
        await engine.until(lambda: engine.told("reloaded: "))
        assert engine.healings()[0].state is HealingState.RUNNING
        await engine.until(lambda: engine.states() == [IncidentState.HEALED])


async def test_two_reloads_at_once_leave_one_edition(tmp_path: Path) -> None:
    """Reloads asked for together come one after the other: no old source goes on beside the new."""
    rules = with_source("tick: {delay: 0.1}")
    folder = write_project(tmp_path, rules)
    async with engine_inside(folder) as engine:
        for _ in range(3):
            signal.raise_signal(signal.SIGHUP)
        engine.record.post("reload", {}, 0.0)
        await engine.until(lambda: sum("reloaded: " in text for text in engine.texts()) == 4)
        running = [task for task in asyncio.all_tasks() if task.get_name().startswith("source ")]
        assert len(running) == 1


# The end.


def test_sigterm_lets_the_running_attempt_end(tmp_path: Path) -> None:
    """SIGTERM in the middle of a playbook: it ends, is proven, and the engine exits with 0."""
    needs_ansible()
    proof = tmp_path / "proof"
    slow = f"shell: touch {tmp_path}/begun && sleep 2 && touch {proof}"
    folder = write_project(tmp_path, playbooks={"restart.yml": slow})
    with engine_process(folder) as engine:
        engine.emit({"down": "web1"})
        engine.until((tmp_path / "begun").exists)
        engine.send(signal.SIGTERM)
        assert engine.end() == 0
        assert engine.states() == [IncidentState.HEALED]
        assert engine.texts(Kind.ENGINE)[-2:] == ["draining", "stopped"]
        assert marked_processes(folder) == []


def test_what_the_drain_has_no_time_for_is_handed_on(tmp_path: Path) -> None:
    """After `drain_timeout` the playbook is ended with all its processes; the next engine goes on.

    That step's end is unknown, so it is judged by the proof, undone, and the next rung heals."""
    needs_ansible()
    folder = write_project(
        tmp_path,
        playbooks={
            "restart.yml": f"shell: touch {tmp_path}/begun && sleep 600",
            "replace.yml": f"file: {{path: {tmp_path}/proof, state: touch}}",
        },
        drain_timeout="500ms",
    )
    with engine_process(folder) as engine:
        engine.emit({"down": "web1"})
        engine.until((tmp_path / "begun").exists)
        engine.send(signal.SIGTERM)
        assert engine.end() == 0
        assert marked_processes(folder) == []
        assert engine.healings()[0].state is HealingState.RUNNING
    with engine_process(folder) as engine:
        engine.until(lambda: engine.states() == [IncidentState.HEALED])
        attempts = engine.healings()[0].attempts
        assert [one.outcome for one in attempts] == [Outcome.ROLLED_BACK, Outcome.HEALED]


def test_kill_in_the_middle_of_a_step(tmp_path: Path) -> None:
    """kill -9 while a playbook runs: nothing of it goes on, and the next engine heals, once."""
    needs_ansible()
    folder = write_project(
        tmp_path,
        playbooks={
            "restart.yml": f"shell: echo begun >> {tmp_path}/begun && sleep 600",
            "replace.yml": f"file: {{path: {tmp_path}/proof, state: touch}}",
        },
    )
    with engine_process(folder) as engine:
        engine.emit({"down": "web1"})
        engine.until((tmp_path / "begun").exists)
        engine.send(signal.SIGKILL)
        engine.end()
    with engine_process(folder) as engine:
        engine.until(lambda: engine.states() == [IncidentState.HEALED])
        steps = engine.healings()[0].attempts[0].steps
        assert steps[0].state is StepState.UNKNOWN
        assert marked_processes(folder) == [
            line for line in marked_processes(folder) if "selfheal.cli" in line
        ]
    assert (tmp_path / "begun").read_text() == "begun\n"


async def test_killed_between_the_fault_and_its_healing(tmp_path: Path) -> None:
    """A fault that an earlier engine opened and had no time to see to is healed at the start.

    The moment is too short to hit with a kill: the record is written as it stands then."""
    folder = write_project(tmp_path)
    record = open_record(load_project(folder).database)
    now = SystemClock().now()
    fault = Fault(
        id=new_id("ft"),
        fingerprint="abc",
        type="connection_failure",
        severity=Severity.CRITICAL,
        component="web",
        target="web1",
        message="it does not answer",
        starts_at=now,
        last_seen=now,
        root_cause="web-dead",
        ruleset="shop",
        rule="something is down",
    )
    record.open_fault(fault)
    record.close()
    proof = Reply(effect=lambda request: (folder / "proof").touch())
    async with engine_inside(folder, MemoryRunner({"restart.yml": proof})) as engine:
        await engine.until(lambda: engine.states() == [IncidentState.HEALED])
        assert engine.record.fault(fault.id).state is FaultState.HEALED


def test_a_second_engine_is_refused(tmp_path: Path) -> None:
    """Two engines never share a record: the second says who holds it, and exits with 1."""
    folder = write_project(tmp_path)
    with engine_process(folder) as engine:
        with pytest.raises(StoreError, match=f"another engine .pid {engine.process.pid}. works on"):
            asyncio.run(Engine(load_project(folder)).run())
        assert engine.process.poll() is None


def test_what_was_acknowledged_is_on_disk(tmp_path: Path) -> None:
    """Every event a webhook answered with 200 is in the journal, also after kill -9."""
    port = free_port()
    folder = write_project(tmp_path, with_source(f"webhook: {{host: 127.0.0.1, port: {port}}}"))
    with engine_process(folder) as engine:
        engine.until(lambda: listens(port))
        url = f"http://127.0.0.1:{port}/endpoint"
        statuses = [post(url, json.dumps({"i": i}).encode()) for i in range(20)]
        engine.send(signal.SIGKILL)
        engine.end()
        kept = _journal(folder)
    assert statuses == [200] * 20
    assert [body["payload"]["i"] for body in kept] == list(range(20))


def _journal(folder: Path) -> list[dict[str, Any]]:
    import sqlite_utils

    database = sqlite_utils.Database(load_project(folder).database)
    rows = [json.loads(row["body"]) for row in database.query("select body from events")]
    database.close()
    return rows


# Events from outside.


def test_emit_reaches_an_engine_that_starts_later(tmp_path: Path) -> None:
    """An event left while no engine runs is taken by the next, once."""
    folder = write_project(tmp_path)
    observer = Observer(folder)
    observer.emit({"down": "web1", "cause": "x"})
    for _ in range(2):
        with engine_process(folder) as engine:
            engine.until(lambda: len(engine.incidents()) == 1)
            engine.send(signal.SIGTERM)
            assert engine.end() == 0
    fault = observer.record.fault(observer.incidents()[0].primary_fault_id)
    observer.record.close()
    assert fault.count == 1


async def test_messages_nobody_understands_harm_nobody(tmp_path: Path) -> None:
    """What can't be taken from the inbox is noted and done with; the next message is heard."""
    async with engine_inside(write_project(tmp_path)) as engine:
        for payload in ({}, {"event": 1}, {"event": {"a": 1}, "ruleset": "nope"}, {"event": None}):
            engine.record.post("emit", payload, 0.0)
        engine.record.post("dance", {}, 0.0)
        engine.emit({"down": "web1", "cause": "x"})
        await engine.until(lambda: len(engine.incidents()) == 1)
        await engine.until(lambda: engine.record.take() == [])


# Until the first incident has ended.

ONCE = [
    ({}, "web-dead", True, 0),
    ({"restart.yml": FAILS, "replace.yml": FAILS}, "web-dead", False, 12),
    ({"restart.yml": Reply(error="no")}, "power-cut", False, 10),
    ({"restart.undo.yml": FAILS}, "web-dead", False, 13),
    (dict.fromkeys(("restart.yml", "replace.yml"), Reply(error="no")), "web-dead", False, 1),
]


@pytest.mark.parametrize(("script", "cause", "proven", "code"), ONCE)
async def test_once_ends_with_the_outcome(
    tmp_path: Path, script: dict[str, Reply], cause: str, proven: bool, code: int
) -> None:
    """`--once` ends with the first incident; its exit code tells how that ended.

    Ansible's part is played by `MemoryRunner`."""
    folder = write_project(tmp_path)
    if proven:
        (folder / "proof").touch()
    observer = Observer(folder)
    observer.emit({"down": "web1", "cause": cause})
    with without_ansible(MemoryRunner(script)):
        engine = Engine(load_project(folder), once=True)
        assert await asyncio.wait_for(engine.run(), 20) == code
    observer.record.close()


async def test_once_tells_the_human_before_it_ends(tmp_path: Path) -> None:
    """The program does not end while the evidence is still on its way."""
    async with listening() as hook:
        folder = write_project(tmp_path, notify=hook.config)
        observer = Observer(folder)
        observer.emit({"down": "web1", "cause": "x"})
        observer.record.close()
        with without_ansible(MemoryRunner()):
            assert await Engine(load_project(folder), once=True).run() == 10
        assert len(hook.messages) == 1


# Sources.


async def test_the_engine_ends_when_every_source_has(tmp_path: Path) -> None:
    """Without anything left to hear, and with all of it acted on, the exit code is 0."""
    rules = with_source("generic: {payload: [{down: web1}]}")
    folder = write_project(tmp_path, rules)
    proof = Reply(seconds=0.3, effect=lambda request: (folder / "proof").touch())
    with without_ansible(MemoryRunner({"restart.yml": proof})):
        assert await Engine(load_project(folder)).run() == 0
    observer = Observer(folder)
    assert observer.states() == [IncidentState.HEALED]
    observer.record.close()


async def test_a_port_in_use_is_told_and_the_engine_goes_on(tmp_path: Path) -> None:
    """A source whose port is taken is tried again, a human is told, everything else works."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        rules = with_source(f"webhook: {{host: 127.0.0.1, port: {port}}}").replace(
            "  sources:\n", "  sources:\n    - tick: {delay: 60}\n"
        )
        async with listening() as hook:
            folder = write_project(tmp_path, rules, notify=hook.config)
            async with engine_inside(folder) as engine:
                await engine.until(lambda: hook.messages)
                assert hook.messages[0]["subject"] == "an event source has failed"
                assert f"{port}): address already in use" in hook.messages[0]["body"]
                engine.emit({"down": "web1", "cause": "x"})
                await engine.until(lambda: len(engine.incidents()) == 1)


# Runs by hand.


@pytest.mark.parametrize("begun", [True, False])
async def test_a_dead_run_by_hand_holds_up_nobody(tmp_path: Path, begun: bool) -> None:
    """A run by hand whose process died is ended at the start, and its resource is healed again."""
    folder = write_project(tmp_path)
    (folder / "proof").touch()
    project = load_project(folder)
    dead, alive = (by_hand(project, target) for target in ("web1", "web2"))
    observer = Observer(folder)
    for healing in (dead, alive):
        observer.record.add_healing(healing)
        if begun:
            assert observer.record.start_healing(healing.id, 1.0)
    with lease(project.state, alive.id):
        async with engine_inside(folder) as engine:
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.states() == [IncidentState.HEALED])
    ended, going_on = (observer.record.healing(one.id) for one in (dead, alive))
    observer.record.close()
    assert ended.state is HealingState.DONE
    assert "the process that ran it died" in ended.reason
    assert going_on.state is not HealingState.DONE


def by_hand(project: Project, target: str) -> Healing:
    """Return what `run-runbook` would submit for that target."""
    wanted = ByHand(solution=find_solution(project, "restart", Secrets()), target=target)
    return wanted.healing(project, 0.0)
