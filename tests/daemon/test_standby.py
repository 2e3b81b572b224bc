"""A standby takes over with what is there by then, not with what it read when it was started."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from selfheal.config import load_project
from selfheal.daemon.engine import Engine
from selfheal.daemon.options import Options
from selfheal.model import Kind
from selfheal.recovery.executors import MemoryRunner
from tests.daemon.hook import listening
from tests.daemon.support import (
    RULES,
    EngineProcess,
    Inside,
    without_ansible,
    write_project,
)

HOLD = """
import fcntl, os, sys, time
fcntl.lockf(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600), fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""
ANOTHER = """
- name: another
  hosts: all
  sources: []
  rules:
    - name: never
      condition: event.never is defined
      action: {debug: {msg: never}}
"""


@contextlib.contextmanager
def engine_at_work(folder: Path) -> Iterator[Callable[[], None]]:
    """Hold the record as an engine does, until it is told to die."""
    state = folder / ".selfheal"
    state.mkdir(mode=0o700, exist_ok=True)
    command = [sys.executable, "-c", HOLD, str(state / "engine.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process.kill
        finally:
            process.kill()


@contextlib.asynccontextmanager
async def standing_by(folder: Path) -> AsyncIterator[tuple[Inside, Callable[[], None]]]:
    """A standby in this process, and how to end the engine that it waits for."""
    inside = Inside(folder)
    try:
        with engine_at_work(folder) as die, without_ansible(MemoryRunner()):
            engine = Engine(load_project(folder), options=Options(standby=True))
            inside.task = asyncio.create_task(engine.run())
            try:
                await inside.until(lambda: engine._stood_by)
                yield inside, die
            finally:
                inside.task.cancel()
                await asyncio.wait([inside.task])
    finally:
        inside.record.close()


def configure(folder: Path, **changes: Any) -> None:
    """Edit selfheal.yml."""
    file = folder / "selfheal.yml"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


async def test_it_takes_over_with_everything_as_it_is_then(tmp_path: Path) -> None:
    """Rails, receivers of messages, variables and rulebooks that were edited while it waited."""
    async with listening() as old, listening() as new:
        folder = write_project(tmp_path, notify=old.config)
        async with standing_by(folder) as (engine, die):
            (folder / "rulebooks" / "another.yml").write_text(ANOTHER)
            text = RULES.replace("message: it does not answer", 'message: "{{ vars.word }}"')
            (folder / "rulebooks" / "shop.yml").write_text(text)
            variables = {"proof": str(folder / "proof"), "word": "read anew"}
            rails = {"autonomy": {"default": "suggest"}}
            configure(folder, rails=rails, notify=new.config, vars=variables)
            die()
            await engine.until(lambda: engine.told("ready: 2 rulebooks, 3 rules"))
            engine.emit({"down": "web1"})
            await engine.until(lambda: new.messages)
        assert "suggested: selfheal run-runbook restart" in new.messages[0]["body"]
        assert new.messages[0]["subject"] == "web on web1: read anew"
        assert not old.messages


def a_wrong_config(folder: Path) -> None:
    (folder / "selfheal.yml").write_text("drain_timeout: soon\n")


def a_wrong_rulebook(folder: Path) -> None:
    (folder / "rulebooks" / "shop.yml").write_text("- name: shop\n  hosts: all\n  ruls: []\n")


def a_secret_that_is_not_there(folder: Path) -> None:
    configure(folder, notify={"webhooks": [{"url": {"file": "nowhere"}}]})


def another_record(folder: Path) -> None:
    configure(folder, state="elsewhere")


def no_folder_of_rulebooks(folder: Path) -> None:
    configure(folder, rulebooks="nowhere")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (a_wrong_config, "drain_timeout"),
        (a_wrong_rulebook, "ruls"),
        (a_secret_that_is_not_there, "nowhere"),
        (another_record, "elsewhere"),
        (no_folder_of_rulebooks, "nowhere"),
    ],
)
async def test_what_is_wrong_by_then_leaves_the_last_good_reading_and_a_human_is_told(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    """It heals as it would have at its start, and says what has to be corrected."""
    async with listening() as hook:
        folder = write_project(tmp_path, notify=hook.config)
        (folder / "proof").touch()
        async with standing_by(folder) as (engine, die):
            spoil(folder)
            die()
            await engine.until(lambda: hook.messages)
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.all_healed(1))
            [entry] = [one for one in engine.entries(Kind.ENGINE) if "took over" in one.text]
    assert hook.messages[0]["subject"].startswith("took over with everything as it was")
    assert says in hook.messages[0]["body"]
    assert any(says in problem for problem in entry.data["problems"])


def test_what_the_command_line_names_is_read_anew(tmp_path: Path) -> None:
    """A file of variables that was edited while the standby waited."""
    rule = ANOTHER.replace("msg: never", 'msg: "the word is {{ vars.word }}"')
    folder = write_project(tmp_path, rule)
    (folder / "vars.yml").write_text("word: old\n")
    with engine_at_work(folder) as die:
        engine = EngineProcess(folder, "--standby", "-e", str(folder / "vars.yml"))
        try:
            engine.until(lambda: "standing by" in engine.output)
            (folder / "vars.yml").write_text("word: new\n")
            die()
            engine.ready()
            engine.emit({"never": "say never"})
            engine.until(lambda: "the word is new" in engine.output)
        finally:
            engine.close()
