"""A small project, and an engine on it: in this process without Ansible, or as the real program."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from unittest import mock

import pytest

import selfheal
from selfheal.config import load_project
from selfheal.daemon.engine import Engine
from selfheal.model import Entry, Healing, HealingState, Incident, IncidentState, Kind
from selfheal.ports import Record
from selfheal.recovery.executors import MemoryRunner
from selfheal.store import open_record

T = TypeVar("T")

RULES = """
- name: shop
  hosts: all
  rules:
    - name: something is down
      condition: event.down is defined
      action:
        heal:
          fault: connection_failure
          severity: critical
          component: "{{ event.component | default('web') }}"
          target: "{{ event.down }}"
          message: it does not answer
          root_cause: "{{ event.cause | default('web-dead') }}"
    - name: it is back
      condition: event.up is defined
      action:
        resolve: {component: web, target: "{{ event.up }}"}
  solutions:
    - name: restart
      root_cause: web-*
      strategy: quick_fix
      risk: low
      steps:
        - {playbook: restart.yml, rollback: restart.undo.yml, timeout: 60s}
      validate:
        - command: {argv: "test -e {{ proof }}"}
          within: 300ms
          interval: 50ms
    - name: replace
      root_cause: web-*
      strategy: standard
      risk: low
      steps:
        - {playbook: replace.yml, rollback: replace.undo.yml, timeout: 60s}
      validate:
        - command: {argv: "test -e {{ proof }}"}
          within: 300ms
          interval: 50ms
    - name: rebuild
      root_cause: disk-*
      strategy: deep
      risk: high
      steps:
        - {playbook: replace.yml, rollback: replace.undo.yml}
"""
"""Events `{"down": HOST}` open a fault, `{"up": HOST}` resolves it. Healed: `proof` exists."""

PLAYBOOKS = ("restart.yml", "restart.undo.yml", "replace.yml", "replace.undo.yml")
INVENTORY = "web1 ansible_connection=local\n"
NOTHING = "debug: {msg: done}"


def needs_ansible() -> None:
    """Skip without Ansible; in CI its absence is a failure."""
    if not os.environ.get("CI"):
        pytest.importorskip("ansible", reason="ansible-core is not installed")


def play(task: str, hosts: str = "all") -> str:
    """Return a playbook of one task (YAML on one line)."""
    return f"- hosts: {hosts}\n  gather_facts: false\n  tasks:\n    - {task}\n"


def write_project(
    folder: Path,
    rules: str = RULES,
    playbooks: Mapping[str, str] | None = None,
    **config: Any,
) -> Path:
    """Write a project whose playbooks do nothing but what `playbooks` (name to task) says."""
    for name in ("playbooks", "rulebooks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "inventory").write_text(INVENTORY)
    (folder / "rulebooks" / "shop.yml").write_text(rules)
    for name in PLAYBOOKS:
        task = (playbooks or {}).get(name, NOTHING)
        (folder / "playbooks" / name).write_text(play(task))
    config.setdefault("join_engine", "python")
    config["vars"] = {"proof": str(folder / "proof"), **config.get("vars", {})}
    (folder / "selfheal.yml").write_text(json.dumps(config))
    return folder


def with_source(source: str, rules: str = RULES) -> str:
    """Return the rules with a source (YAML on one line)."""
    return rules.replace("  hosts: all\n", f"  hosts: all\n  sources:\n    - {source}\n")


def post(url: str, data: bytes) -> int:
    """POST JSON; return the status."""
    request = urllib.request.Request(  # noqa: S310 - loopback http
        url, data=data, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


class Install(NamedTuple):
    """A Python with selfheal, and the environment it needs."""

    python: str
    env: dict[str, str]


INSTALL = Install(sys.executable, dict(os.environ))


def without_ansible_installed(folder: Path) -> Install:
    """Return an installation of selfheal that finds no Ansible, neither beside it nor on PATH."""
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    packages = [str(Path(selfheal.__file__).parents[1]), *(one for one in sys.path if one)]
    env = {"PATH": str(folder / "bin"), "PYTHONPATH": os.pathsep.join(packages)}
    return Install(str(python), {"HOME": str(folder), **env})


class Observer:
    """Reads the record beside the engine, as the command line does, and leaves it messages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record: Record = open_record(load_project(folder).database)

    def emit(self, *events: Mapping[str, Any]) -> None:
        """Leave events for the engine."""
        for event in events:
            self.record.post("emit", {"event": event, "ruleset": ""}, time.time())

    def texts(self, kind: Kind | None = None) -> list[str]:
        """Return the lines of the timeline."""
        return [one.text for one in self.entries(kind)]

    def entries(self, kind: Kind | None = None) -> list[Entry]:
        """Return the entries of the timeline."""
        entries = self.record.entries(limit=10_000)
        return [one for one in entries if kind is None or one.kind is kind]

    def told(self, text: str) -> bool:
        """Tell whether a line of the timeline holds `text`."""
        return any(text in line for line in self.texts())

    def healings(self) -> list[Healing]:
        """Return every healing, oldest first."""
        return self.record.healings()[::-1]

    def incidents(self) -> list[Incident]:
        """Return every incident, oldest first."""
        return self.record.incidents()[::-1]

    def states(self) -> list[IncidentState]:
        """Return the state of every incident, oldest first."""
        return [one.state for one in self.incidents()]

    def all_healed(self, count: int) -> bool:
        """Tell whether that many healings have ended, and no other is open."""
        states = [one.state for one in self.record.healings()]
        return states == [HealingState.DONE] * count


class Inside(Observer):
    """An engine in this process."""

    task: asyncio.Task[int]

    def end(self) -> None:
        """Ask the engine to end, as its service manager does."""
        os.kill(os.getpid(), signal.SIGTERM)

    async def until(self, fact: Callable[[], T], within: float = 20.0) -> T:
        """Wait until `fact` is something true and return that; the engine must live meanwhile."""
        deadline = time.monotonic() + within
        while not (found := fact()):
            story = "\n".join(self.texts())
            assert not self.task.done(), f"the engine has ended: {self.task}\n{story}"
            assert time.monotonic() < deadline, f"it did not happen in time:\n{story}"
            await asyncio.sleep(0.02)
        return found


@contextlib.asynccontextmanager
async def engine_inside(
    folder: Path, runner: MemoryRunner | None = None, **options: Any
) -> AsyncIterator[Inside]:
    """Run an engine in this process with `runner` in Ansible's place; it ends with the block."""
    inside = Inside(folder)
    try:
        with without_ansible(runner or MemoryRunner()):
            engine = Engine(load_project(folder), **options)
            inside.task = asyncio.create_task(engine.run())
            try:
                await inside.until(lambda: inside.told("ready: "))
                yield inside
            finally:
                inside.task.cancel()
                await asyncio.wait([inside.task])
    finally:
        inside.record.close()


def without_ansible(runner: MemoryRunner) -> contextlib.AbstractContextManager[Any]:
    """Put `runner` where an engine would build the one that starts Ansible."""
    return mock.patch("selfheal.daemon.assembly.AnsibleRunner", return_value=runner)


class EngineProcess(Observer):
    """`selfheal-engine` as a program of its own."""

    def __init__(self, folder: Path, *options: str, install: Install = INSTALL) -> None:
        super().__init__(folder)
        seen = self.entries()
        self._before = seen[-1].seq if seen else 0
        self._log = folder / "engine.log"
        with self._log.open("ab") as out:
            self.process = subprocess.Popen(
                [install.python, "-m", "selfheal.cli", "engine", "-p", str(folder), *options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=install.env,
            )

    @property
    def output(self) -> str:
        """Return what it has printed and logged."""
        return self._log.read_text()

    def ready(self) -> EngineProcess:
        """Wait until it is ready."""
        self.until(lambda: any("ready: " in one.text for one in self._new()))
        return self

    def _new(self) -> list[Entry]:
        return [one for one in self.entries(Kind.ENGINE) if one.seq > self._before]

    def until(self, fact: Callable[[], T], within: float = 60.0) -> T:
        """Wait until `fact` is something true and return that; the engine must live meanwhile."""
        deadline = time.monotonic() + within
        while not (found := fact()):
            lives = self.process.poll() is None and time.monotonic() < deadline
            assert lives, f"it did not happen:\n{self.output}\n" + "\n".join(self.texts())
            time.sleep(0.05)
        return found

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self, within: float = 60.0) -> int:
        """Wait for its end; return its exit code."""
        return self.process.wait(within)

    def close(self) -> None:
        """End it whatever it does, and the record's connection."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.record.close()


@contextlib.contextmanager
def engine_process(
    folder: Path, *options: str, install: Install = INSTALL
) -> Iterator[EngineProcess]:
    """Start `selfheal-engine`, wait until it is ready, and end it with the block."""
    engine = EngineProcess(folder, *options, install=install)
    try:
        yield engine.ready()
    finally:
        engine.close()


def marked_processes(folder: Path) -> list[str]:
    """Return the command line of every living process that has to do with `folder`."""
    needle, found = os.fsencode(folder), []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes()
            if needle in line or needle in (entry / "environ").read_bytes():
                found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found
