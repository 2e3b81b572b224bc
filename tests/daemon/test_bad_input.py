"""Bad input, each tried: one clear message, and the engine keeps running or refuses to start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from selfheal.model import IncidentState, Kind, Outcome, StepState
from tests.servers.base import free_port, listens

from .support import (
    RULES,
    engine_inside,
    engine_process,
    marked_processes,
    needs_ansible,
    post,
    with_source,
    without_ansible_installed,
    write_project,
)

BAD_RULEBOOKS = {
    "broken YAML": (RULES.replace("- name: shop", "- name: [shop"), "shop.yml:3:"),
    "duplicate keys": (
        RULES.replace("  hosts: all", "  hosts: all\n  hosts: web1"),
        "shop.yml:4:3: duplicate key 'hosts'",
    ),
    "unknown action": (RULES.replace("resolve: {", "resolv: {"), "unknown action 'resolv'"),
    "missing playbook": (RULES.replace("restart.yml,", "nowhere.yml,"), "'nowhere.yml'"),
    "missing rollback": (RULES.replace("restart.undo.yml", "nowhere.yml"), "'nowhere.yml'"),
    "bad condition": (
        RULES.replace("event.up is defined", "event.up is"),
        "shop.yml:16:29: condition: ",
    ),
    "unknown source": (with_source("crystal_ball: {}"), "crystal_ball"),
    "wrong argument": (with_source("webhook: {prt: 1}"), "prt"),
    "no UTF-8": (RULES.replace("shop", "sh\udcffp"), "UTF-8"),
    "empty": ("", "the rulebook is empty"),
}


@pytest.mark.parametrize("name", BAD_RULEBOOKS)
def test_a_bad_rulebook_keeps_the_engine_from_starting(tmp_path: Path, name: str) -> None:
    """The program exits with 2 and says what is wrong where; nothing has run."""
    text, said = BAD_RULEBOOKS[name]
    folder = write_project(tmp_path)
    (folder / "rulebooks" / "shop.yml").write_bytes(text.encode("utf-8", "surrogateescape"))
    run = subprocess.run(
        [sys.executable, "-m", "selfheal.cli", "engine", "-p", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 2, run.stderr
    assert run.stderr.startswith(f"error: {folder}/rulebooks/shop.yml")
    assert said in run.stderr
    assert run.stderr.count("error:") == 1
    assert "Traceback" not in run.stderr
    assert not (folder / ".selfheal").exists()


async def test_bad_rulebooks_never_stop_a_running_engine(tmp_path: Path) -> None:
    """Each of them is refused at a reload, and the rules that run go on."""
    folder = write_project(tmp_path)
    async with engine_inside(folder) as engine:
        for count, (text, said) in enumerate(BAD_RULEBOOKS.values(), 1):
            rulebook = folder / "rulebooks" / "shop.yml"
            rulebook.write_bytes(text.encode("utf-8", "surrogateescape"))
            engine.record.post("reload", {}, 0.0)
            await engine.until(lambda: len(engine.entries(Kind.ENGINE)) > count)  # noqa: B023 - awaited here
            assert said in "\n".join(engine.entries(Kind.ENGINE)[-1].data["problems"])
        engine.emit({"down": "web1", "cause": "x"})
        await engine.until(lambda: len(engine.incidents()) == 1)


def test_bad_configuration(tmp_path: Path) -> None:
    """An unknown key and a wrong value of selfheal.yml are both told, with their places."""
    folder = write_project(tmp_path)
    (folder / "selfheal.yml").write_text("drain_timeout: soon\nnotifi: {}\n")
    run = subprocess.run(
        [sys.executable, "-m", "selfheal.cli", "engine", "-p", str(folder)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 2
    assert "selfheal.yml:1:" in run.stderr
    assert "selfheal.yml:2:" in run.stderr
    assert "Traceback" not in run.stderr


DEEP = b'{"a":' * 100 + b"1" + b"}" * 100
BAD_EVENTS = {
    "10 MB": (b'{"blob": "' + b"x" * 10_000_000 + b'"}', 413),
    "100 deep": (DEEP, 400),
    "invalid UTF-8": (b'{"down": "web\xff"}', 400),
    "no JSON": (b"down: web1", 400),
    "not a number": (b'{"down": NaN}', 400),
    "empty": (b"", 400),
}


def test_bad_events_are_refused_at_the_door(tmp_path: Path) -> None:
    """A webhook's sender learns by status what was wrong; the next event is taken and acted on."""
    port = free_port()
    rules = with_source(f"webhook: {{host: 127.0.0.1, port: {port}}}")
    rules = rules.replace("event.", "event.payload.")
    url = f"http://127.0.0.1:{port}/endpoint"
    with engine_process(write_project(tmp_path, rules)) as engine:
        engine.until(lambda: listens(port))
        got = {name: post(url, body) for name, (body, _) in BAD_EVENTS.items()}
        assert got == {name: status for name, (_, status) in BAD_EVENTS.items()}
        assert post(url, b'{"down": "web1", "cause": "x"}') == 200
        engine.until(lambda: len(engine.incidents()) == 1)
        assert "Traceback" not in engine.output


async def test_bad_events_by_emit(tmp_path: Path) -> None:
    """What `emit` left is held against the same limits; the next message is heard."""
    async with engine_inside(write_project(tmp_path)) as engine:
        engine.emit({"down": "x" * 2_000_000}, json.loads(DEEP), {"down": {"a": [1]}})
        engine.emit({"down": "web1", "cause": "x"})
        await engine.until(lambda: engine.record.take() == [])
        await engine.until(lambda: engine.states() == [IncidentState.MANUAL])
        assert engine.told("failed: argument target must be a text, not dict")


async def test_a_condition_on_a_missing_field(tmp_path: Path) -> None:
    """It is false, whatever stands in the field's place, and a later event fires the rule."""
    rules = RULES.replace("event.down is defined", "event.a.b.c > 3 and event.down is defined")
    async with engine_inside(write_project(tmp_path, rules)) as engine:
        engine.emit({}, {"a": None}, {"a": "text"}, {"a": {"b": [1]}}, {"a": {"b": {"c": "4"}}})
        engine.emit({"a": {"b": {"c": 4}}, "down": "web1", "cause": "x"})
        await engine.until(lambda: len(engine.incidents()) == 1)
        assert len(engine.entries(Kind.RULE)) == 1


async def test_a_template_on_a_missing_field(tmp_path: Path) -> None:
    """The action fails and says which name is undefined; the next event is acted on."""
    rules = RULES.replace("{{ event.component | default('web') }}", "{{ event.component }}")
    async with engine_inside(write_project(tmp_path, rules)) as engine:
        engine.emit({"down": "web1"}, {"down": "web1", "component": "web", "cause": "x"})
        await engine.until(lambda: len(engine.incidents()) == 1)
        [failed] = [text for text in engine.texts(Kind.ACTION) if "failed" in text]
        assert "component" in failed


async def test_a_source_that_raises_is_started_again(tmp_path: Path) -> None:
    """It is told in the timeline, and its next run brings the event."""
    folder = write_project(tmp_path, with_source("flaky: {}"))
    plugins = folder / "rulebooks" / "sources"
    plugins.mkdir()
    (plugins / "flaky.py").write_text(FLAKY.format(seen=tmp_path / "seen"))
    async with engine_inside(folder) as engine:
        await engine.until(lambda: len(engine.incidents()) == 1)
        failures = [one for one in engine.entries(Kind.SOURCE) if "the line is dead" in one.text]
        assert "started again in" in failures[0].text


FLAKY = """
import asyncio, pathlib

async def main(queue, args):
    seen = pathlib.Path("{seen}")
    if not seen.exists():
        seen.touch()
        raise RuntimeError("the line is dead")
    await queue.put({{"down": "web1", "cause": "x"}})
    await asyncio.sleep(3600)
"""


def test_a_playbook_that_hangs(tmp_path: Path) -> None:
    """It is ended at its time limit with every process of it; the next rung heals."""
    needs_ansible()
    rules = RULES.replace("restart.undo.yml, timeout: 60s", "restart.undo.yml, timeout: 4s")
    folder = write_project(
        tmp_path,
        rules,
        playbooks={
            "restart.yml": "shell: trap '' TERM; sleep 3600 & wait; sleep 3600",
            "replace.yml": f"file: {{path: {tmp_path}/proof, state: touch}}",
        },
    )
    with engine_process(folder) as engine:
        engine.emit({"down": "web1"})
        engine.until(lambda: engine.states() == [IncidentState.HEALED])
        first = engine.healings()[0].attempts[0]
        assert first.steps[0].state is StepState.TIMEOUT
        assert first.steps[0].message == "ended after its time limit of 4.0s"
        left = [line for line in marked_processes(folder) if "selfheal.cli engine" not in line]
        assert left == []


def test_no_ansible(tmp_path: Path) -> None:
    """The engine starts, each healing says how to get Ansible, a human is told, it goes on."""
    folder = write_project(tmp_path / "project")
    install = without_ansible_installed(tmp_path / "install")
    with engine_process(folder, install=install) as engine:
        for count, host in enumerate(("web1", "web2"), 1):
            engine.emit({"down": host})
            engine.until(lambda: engine.states() == [IncidentState.MANUAL] * count)  # noqa: B023 - awaited here
        healing = engine.healings()[0]
        assert healing.outcome is Outcome.REFUSED
        assert "ansible-inventory is not installed" in healing.reason
        assert "pip install 'selfheal[ansible]'" in healing.reason
        assert "Traceback" not in engine.output
