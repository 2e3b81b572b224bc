"""incidents, runs, kb, status, emit: what they print of a record, and leave on it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from selfheal.model import HealingState, Outcome
from selfheal.recovery.executors import MemoryRunner
from selfheal.recovery.executors.memory import HANGS, Reply
from tests.daemon.support import Observer, engine_inside, write_project

from .support import data_of, selfheal


@pytest.fixture
async def project(tmp_path: Path) -> Path:
    """A project with a record of two incidents: one healed by the second rung, one for a human.

    Made by the engine in this process; `MemoryRunner` plays Ansible's part."""
    folder = write_project(tmp_path)
    runner = MemoryRunner({"replace.yml": Reply(effect=lambda request: (folder / "proof").touch())})
    async with engine_inside(folder, runner) as engine:
        engine.emit({"down": "web1"}, {"down": "web2", "cause": "power-cut"})
        await engine.until(lambda: engine.all_healed(1) and len(engine.incidents()) == 2)
        await engine.until(lambda: all(one.closed_at for one in engine.incidents()))
    return folder


LISTS = [("incidents", "list"), ("runs", "list"), ("kb", "list"), ("kb", "stats"), ("status",)]


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_every_form_of_output(project: Path, words: tuple[str, ...]) -> None:
    """JSON and YAML say the same, and the table needs no terminal and has no colour."""
    said = data_of(*words, "-p", project)
    in_yaml = yaml.safe_load(selfheal(*words, "-p", project, "-o", "yaml").stdout)
    table = selfheal(*words, "-p", project)
    assert said
    if words != ("status",):
        assert in_yaml == said
    assert table.returncode == 0
    assert "\x1b" not in table.stdout


def test_incidents(project: Path) -> None:
    """Both are listed, newest first; by state only one."""
    rows = data_of("incidents", "list", "-p", project)
    assert [(one["target"], one["state"]) for one in rows] == [
        ("web2", "manual"),
        ("web1", "healed"),
    ]
    rows = data_of("incidents", "list", "--state", "manual", "-p", project)
    assert [one["target"] for one in rows] == ["web2"]


def test_an_incident_by_the_beginning_of_its_id(project: Path) -> None:
    """Any unambiguous beginning of the id is enough; an ambiguous or unknown one is refused."""
    newest = data_of("incidents", "list", "-p", project)[0]
    shown = data_of("incidents", "show", newest["id"][:-1], "-p", project)
    assert shown["id"] == newest["id"]
    assert shown["fault"]["message"] == "it does not answer"
    [decision] = shown["decisions"]
    assert decision["refused"] == "no_solution"
    assert any("human needed" in one["text"] for one in shown["timeline"])
    table = selfheal("incidents", "show", newest["id"][:-1], "-p", project)
    assert "refused: no_solution" in table.stdout
    for wrong in ("in-", "in-nope"):
        done = selfheal("incidents", "show", wrong, "-p", project)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")


def test_runs(project: Path) -> None:
    """A healing is listed with its outcome and shown with each attempt, step and proof."""
    [row] = data_of("runs", "list", "-p", project)
    assert (row["outcome"], row["solution"], row["attempts"]) == ("healed", "replace", 2)
    shown = data_of("runs", "show", row["id"], "-p", project)
    assert [one["solution"] for one in shown["attempts"]] == ["restart", "replace"]
    table = selfheal("runs", "show", row["id"], "-p", project).stdout
    assert "rung 1  restart: rolled_back" in table
    assert "rung 2  replace: healed" in table
    logs = selfheal("runs", "logs", row["id"], "-p", project).stdout
    assert "rung 1 of 2: restart" in logs
    done = selfheal("runs", "stop", row["id"], "-p", project)
    assert done.returncode == 2
    assert "has ended already: healed" in done.stderr


def test_the_knowledge_base(project: Path) -> None:
    """Solutions come with what the record says of them."""
    rates = {one["name"]: one["success_rate"] for one in data_of("kb", "list", "-p", project)}
    assert rates == {"restart": 0.0, "replace": 1.0, "rebuild": None}
    shown = data_of("kb", "show", "replace", "-p", project)
    assert shown["steps"][0]["rollback"] == "replace.undo.yml"
    assert shown["record"]["healed"] == 1
    assert selfheal("kb", "show", "prayer", "-p", project).returncode == 2


def test_without_a_record(tmp_path: Path) -> None:
    """Looking where no engine ever ran says so, and makes nothing."""
    folder = write_project(tmp_path)
    for words in (["status"], ["incidents", "list"], ["runs", "list"], ["runs", "show", "he-1"]):
        done = selfheal(*words, "-p", folder)
        assert done.returncode == 1
        assert "has an engine run here?" in done.stderr
    assert not (folder / ".selfheal").exists()
    assert selfheal("status", "-p", tmp_path / "nowhere").returncode == 2


async def cli(*words: str | Path) -> str:
    """Run a verb beside the engine in this process; return what it printed."""
    done = await asyncio.to_thread(selfheal, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_follow_and_stop(tmp_path: Path) -> None:
    """`runs logs -f` prints what happens until the healing ends; `runs stop` makes it end."""
    folder = write_project(tmp_path)
    runner = MemoryRunner({"restart.yml": HANGS})
    async with engine_inside(folder, runner) as engine:
        engine.emit({"down": "web1"})
        await engine.until(lambda: runner.playbooks)
        healing = engine.healings()[0].id
        following = asyncio.create_task(cli("runs", "logs", "-f", healing, "-p", folder))
        assert "busy resources: web1" in await cli("status", "-p", folder)
        assert not following.done()
        await cli("runs", "stop", healing, "--why", "wrong host", "-p", folder)
        printed = await asyncio.wait_for(following, 30)
        await engine.until(lambda: engine.all_healed(1))
        assert engine.healings()[0].outcome is Outcome.ROLLED_BACK
    lines = printed.splitlines()
    assert "accepted for web1" in lines[0]
    assert any("rolled back after" in line or "rolled_back after" in line for line in lines)
    assert "wrong host" in printed
    assert runner.playbooks == ["restart.yml", "restart.undo.yml"]


BAD_EVENTS: dict[str, tuple[str, bytes]] = {
    "no JSON": ("{down", b""),
    "a list": ("[1]", b""),
    "a missing file": ("@nowhere.json", b""),
    "a folder": ("@.", b""),
    "bytes that are no UTF-8": ("-", b'{"a": "\xff"}'),
    "nothing": ("-", b""),
    "too deep": ("-", b"[" * 100_000),
}


@pytest.mark.parametrize("name", BAD_EVENTS)
def test_emit_refuses(tmp_path: Path, name: str) -> None:
    """What is no event is refused at once, with exit code 2, and nothing is left."""
    event, stdin = BAD_EVENTS[name]
    done = selfheal("emit", event, "-p", write_project(tmp_path), stdin=stdin)
    assert done.returncode == 2
    assert "the event" in done.stderr
    assert not (tmp_path / ".selfheal").exists()


@pytest.mark.parametrize("how", ["text", "file", "stdin"])
def test_emit_leaves_the_event(tmp_path: Path, how: str) -> None:
    """The event is on the record when the command returns, however it was given."""
    folder, body = write_project(tmp_path), {"down": "wéb1"}
    (tmp_path / "event.json").write_text(json.dumps(body))
    words: dict[str, Any] = {
        "text": json.dumps(body),
        "file": f"@{tmp_path}/event.json",
        "stdin": "-",
    }
    text = json.dumps(body).encode()
    done = selfheal("emit", words[how], "--ruleset", "shop", "-p", folder, stdin=text)
    assert done.returncode == 0, done.stderr
    observer = Observer(folder)
    [(_, kind, payload)] = observer.record.take()
    observer.record.close()
    assert (kind, payload["event"], payload["ruleset"]) == ("emit", body, "shop")


def test_states_are_those_of_the_model(project: Path) -> None:
    """`--state` knows every state there is."""
    for state in HealingState:
        expected = 1 if state is HealingState.DONE else 0
        assert len(data_of("runs", "list", "--state", state.value, "-p", project)) == expected
