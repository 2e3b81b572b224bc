"""Runs one recorded rulebook by `selfheal-engine`, and gathers what it did from its record."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.conformance_kinds.e2e_controller import Launch, controller
from selfheal.model import Entry
from selfheal.store import open_record

_PATIENCE = 30.0  # seconds beyond the slowest recorded run
_GRACE = 20.0  # seconds from SIGTERM to SIGKILL
_HANDED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of ours did."""

    exit_code: int
    """Of the engine."""
    ended: bool
    """False when it had to be told to end."""
    entries: tuple[Entry, ...]
    """Its timeline; empty when nothing was started."""
    printed: str
    """Its stdout, its folder written as `<cwd>`."""
    said: str
    """Its stderr."""
    launches: tuple[Launch, ...]
    """What it asked the controller for."""


def run(folder: Path, record: Mapping[str, Any], place: Path) -> Run:
    """Run the recording's rulebook in the empty folder `place` with the recorded inputs."""
    inputs = record["inputs"]
    tests = place / "tests"
    shutil.copytree(folder / "tests", tests)
    cwd = tests / inputs.get("cwd", ".")
    for name, text in inputs.get("playbooks", {}).items():
        (cwd / "playbooks" / name).write_text(text, "utf-8")
    if "inventory_text" in inputs:
        (tests / inputs["inventory"]).write_text(inputs["inventory_text"], "utf-8")
    command = [sys.executable, "-m", "selfheal.cli", "engine"]
    command += ["--end-when", "first-source", "--shutdown-delay", "60"]
    command += ["-r", str(folder.absolute() / record["rulebook"])]
    command += ["-i", str(_inventory(inputs, tests, cwd)), *_variables(inputs, tests, place)]
    command += [text.replace("{T}", str(tests)) for text in inputs.get("extra", ())]
    with _controller(record) as (environment, launches):
        env = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        env |= environment | inputs.get("env", {})
        exit_code, ended, out, said = _execute(command, cwd, env, _time_limit(record))
    entries = tuple(_entries(cwd / ".selfheal" / "selfheal.db"))
    return Run(exit_code, ended, entries, out.replace(str(place), "<cwd>"), said, tuple(launches))


def _inventory(inputs: Mapping[str, Any], tests: Path, cwd: Path) -> Path:
    """Return the recorded inventory, else the one that records of that folder ran on."""
    if "inventory" in inputs:
        return tests / str(inputs["inventory"])
    usual = cwd / "inventories" / "default_inventory.yml"
    return usual if usual.exists() else tests / "playbooks" / "inventory.yml"


def _variables(inputs: Mapping[str, Any], tests: Path, place: Path) -> Iterator[str]:
    if "vars_file" in inputs:
        yield from ("--vars", str(tests / inputs["vars_file"]))
    if "vars" in inputs:
        path = place / "vars.yml"
        path.write_text(json.dumps(inputs["vars"]), "utf-8")  # JSON is YAML
        yield from ("--vars", str(path))
    if "env_vars" in inputs:
        yield from ("--env-vars", ",".join(inputs["env_vars"]))


@contextlib.contextmanager
def _controller(record: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], list[Launch]]]:
    if "controller" not in record["inputs"]:
        yield {}, []
        return
    actions = [action for firing in record["firings"] for action in firing["actions"]]
    organizations = {action["organization"] for action in actions if "organization" in action}
    with controller(record["inputs"]["controller"], organizations) as (url, launches):
        yield {"EDA_CONTROLLER_URL": url, "EDA_CONTROLLER_TOKEN": "fake"}, launches


def _time_limit(record: Mapping[str, Any]) -> float:
    """Return seconds; a recording that was cut off had no end of its own."""
    if record["timed_out"]:
        return float(min(record["wall_s"]))
    return float(max(record["wall_s"])) + _PATIENCE


def _execute(
    command: list[str], cwd: Path, env: Mapping[str, str], limit: float
) -> tuple[int, bool, str, str]:
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, said = process.communicate(timeout=limit)
        return process.returncode, True, out, said
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
    try:
        out, said = process.communicate(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, said = process.communicate()
    return process.returncode, False, out, said


def _entries(database: Path) -> Iterator[Entry]:
    if not database.exists():
        return
    record = open_record(database)
    try:
        seen = 0
        while batch := record.entries(after=seen):
            yield from batch
            seen = batch[-1].seq
    finally:
        record.close()
