"""`selfheal doctor`: what this machine and this project have and lack."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from selfheal.cli.exits import Exit
from selfheal.cli.output import output_option, print_rows
from selfheal.cli.project import project_option
from selfheal.config import load_project
from selfheal.errors import ExecutionError, SelfhealError
from selfheal.exit_codes import FAILED

EXTRAS = {"postgres": "asyncpg", "kafka": "aiokafka"}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding of the doctor."""

    name: str
    """What was looked at."""
    result: str
    """`ok`, `note` or `missing`."""
    detail: str
    """What was found, and what to do when it is missing."""


@click.command("doctor")
@project_option
@output_option
def command(folder: Path, output: str) -> None:
    """Check what this machine has and lacks.

    Exit code 1 when something is missing that healing needs.
    """
    checks = list(_checks(folder))
    rows = [{"check": one.name, "result": one.result, "detail": one.detail} for one in checks]
    print_rows(rows, ["check", "result", "detail"], output)
    if any(one.result == "missing" for one in checks):
        raise Exit(FAILED)


def _checks(folder: Path) -> Iterator[Check]:
    yield Check("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield Check("sqlite", "ok", sqlite3.sqlite_version)
    yield _try("ansible-playbook", _ansible)
    yield Check("ansible-runner", "ok", importlib.metadata.version("ansible-runner"))
    yield _try("join engine", _join_engine)
    for extra, module in EXTRAS.items():
        yield _extra(extra, module)
    yield _try("configuration", lambda: _configuration(folder))
    yield _try("rulebooks", lambda: _rulebooks(folder))


def _try(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", look())
    except SelfhealError as error:
        return Check(name, "missing", str(error))


def _ansible() -> str:
    from selfheal.recovery.executors.ansible import find_ansible_playbook

    program = find_ansible_playbook()
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExecutionError(f"{program} does not run: {error}") from error
    said = (answer.stdout or answer.stderr).strip().splitlines() or ["it says nothing"]
    if answer.returncode != 0:
        raise ExecutionError(f"{program} ends with {answer.returncode}: {said[-1]}")
    return f"{program}: {said[0]}"


def _join_engine() -> str:
    from selfheal.rules import describe_join_engine

    return describe_join_engine()


def _extra(extra: str, module: str) -> Check:
    if importlib.util.find_spec(module):
        return Check(f"extra {extra}", "ok", f"{module} {importlib.metadata.version(module)}")
    return Check(f"extra {extra}", "note", f"not installed: pip install 'selfheal[{extra}]'")


def _configuration(folder: Path) -> str:
    project = load_project(folder)
    if not project.playbooks.is_dir():
        return f"{project.root}: no project here; start one with: selfheal init"
    return f"{project.root}"


def _rulebooks(folder: Path) -> str:
    from selfheal.daemon.loading import load_edition

    project = load_project(folder)
    if not project.rulebooks.exists():
        return "none"
    edition = load_edition(project)
    rules = sum(len(ruleset.rules) for ruleset in edition.rulesets)
    return f"{len(edition.rulebooks)} files, {rules} rules"
