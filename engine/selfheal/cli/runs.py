"""`selfheal runs`: healings, their attempts, steps and tasks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from selfheal.cli.output import echo, output_option, plain, print_data, print_rows, timestamp
from selfheal.cli.project import project_option, record_of
from selfheal.duration import format_duration
from selfheal.model import Entry, Healing, HealingState, StepRun
from selfheal.ports import Record

POLL_SECONDS = 0.1
_STATES = [one.value for one in HealingState]


@click.group("runs")
def command() -> None:
    """List, show, follow and stop healings."""


@command.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only these.")
@click.option("-n", "--limit", default=50, show_default=True, help="At most so many.")
@project_option
@output_option
def list_(state: str | None, limit: int, folder: Path, output: str) -> None:
    """List healings, newest first."""
    with record_of(folder) as record:
        rows = [_row(one) for one in record.healings(limit=limit, state=state or "")]
    columns = ["id", "state", "outcome", "resource", "solution", "attempts", "took", "created"]
    print_rows(rows, columns, output)


@command.command()
@click.argument("healing_id", metavar="ID")
@project_option
@output_option
def show(healing_id: str, folder: Path, output: str) -> None:
    """Show one healing: each attempt, step, Ansible task and validation."""
    with record_of(folder) as record:
        healing = record.healing(healing_id)
        tasks = {
            step.ident: record.tasks(step.ident) for one in healing.attempts for step in one.steps
        }
        if output != "table":
            tasks_json = {ident: plain(found) for ident, found in tasks.items()}
            print_data({**plain(healing), "tasks": tasks_json}, output)
            return
        for line in _lines(record, healing):
            echo(line)


@command.command()
@click.argument("healing_id", metavar="ID")
@click.option("-f", "--follow", is_flag=True, help="Go on until the healing has ended.")
@project_option
def logs(healing_id: str, follow: bool, folder: Path) -> None:
    """Print what happened in a healing, line by line."""
    with record_of(folder) as record:
        healing = record.healing(healing_id)
        for entry in _entries(record, healing.id, follow):
            echo(f"{timestamp(entry.at)}  {entry.kind.value:<12} {entry.text}")


@command.command()
@click.argument("healing_id", metavar="ID")
@click.option("--why", default="", help="Goes on record.")
@project_option
def stop(healing_id: str, why: str, folder: Path) -> None:
    """Stop a healing: the running step is ended and what ran is rolled back."""
    with record_of(folder) as record:
        healing = record.healing(healing_id)
        if healing.state is HealingState.DONE:
            raise click.UsageError(f"{healing.id} has ended already: {_outcome(healing)}")
        record.request_stop(healing.id, f"an operator: {why}" if why else "an operator")
    click.echo(f"{healing.id} is asked to stop", err=True)


def _entries(record: Record, healing_id: str, follow: bool) -> Iterator[Entry]:
    seen = 0
    while True:
        # Asked before reading, so that the last lines of an ending healing are not missed.
        ended = record.healing(healing_id).state is HealingState.DONE
        for entry in record.entries(after=seen, healing_id=healing_id):
            seen = entry.seq
            yield entry
        if ended or not follow:
            return
        time.sleep(POLL_SECONDS)


def _row(healing: Healing) -> dict[str, Any]:
    ended = healing.ended_at or time.time()
    return {
        "id": healing.id,
        "incident": healing.incident_id,
        "state": healing.state.value,
        "outcome": _outcome(healing),
        "resource": healing.resource,
        "solution": healing.attempts[-1].solution if healing.attempts else "",
        "attempts": len(healing.attempts),
        "took": format_duration(ended - healing.started_at) if healing.started_at else "",
        "created": timestamp(healing.created_at),
        "reason": healing.reason,
    }


def _outcome(healing: Healing) -> str:
    return healing.outcome.value if healing.outcome else ""


def _lines(record: Record, healing: Healing) -> Iterator[str]:
    for key, value in _row(healing).items():
        yield f"{key:>10}: {value}"
    for attempt in healing.attempts:
        outcome = attempt.outcome.value if attempt.outcome else "under way"
        yield f"\nrung {attempt.rung + 1}  {attempt.solution}: {outcome}"
        for step in attempt.steps:
            yield from _step_lines(record, step)
        for validation in attempt.validations or ():
            held = "holds" if validation.ok else "does not hold"
            yield f"  validation {validation.name}: {held}: {validation.detail}"


def _step_lines(record: Record, step: StepRun) -> Iterator[str]:
    took = format_duration((step.ended_at or time.time()) - step.started_at)
    yield f"  {step.kind.value} {step.name} ({step.playbook}): {step.state.value} in {took}"
    if step.message:
        yield f"    {step.message}"
    for task in record.tasks(step.ident):
        yield f"    {task.status:<11} {task.host}  {task.task}  {task.message}".rstrip()
