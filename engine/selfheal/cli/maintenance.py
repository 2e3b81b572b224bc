"""`selfheal maintenance`: windows in which nothing is begun."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from selfheal.cli.answers import os_user
from selfheal.cli.guarding import changing, matchers_of, reason_option
from selfheal.cli.output import output_option, print_rows, timestamp
from selfheal.cli.project import opened_record, project_option
from selfheal.cli.spans import begin_and_end, row_of, start_and_span_options
from selfheal.config import load_project
from selfheal.config.rails import Window
from selfheal.model import Maintenance, new_id


@click.group("maintenance")
def command() -> None:
    """Open, list and end maintenance windows."""


@command.command()
@click.argument("matchers", nargs=-1)
@reason_option
@start_and_span_options
@project_option
def add(
    matchers: tuple[str, ...],
    reason: str,
    start: str | None,
    span: str | None,
    until: str | None,
    folder: Path,
) -> None:
    """Open a window for what all MATCHERS fit; without any, for everything.

    Nothing is begun while it is open, runbooks by hand included. At its end what waited is
    checked anew and let through slowly. Windows that come again stand in selfheal.yml.
    """
    now = time.time()
    begin, end = begin_and_end(now, start, span, until)
    found = matchers_of(matchers)
    window = Maintenance(new_id("mw"), found, begin, end, reason, os_user(), now)
    with changing(folder) as (record, said):
        record.add_maintenance(window)
        said.append(f"maintenance until {timestamp(end)} by {window.who}: {reason}")
    click.echo(window.id)


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@project_option
@output_option
def list_(everything: bool, folder: Path, output: str) -> None:
    """List windows: those of this once, and those of selfheal.yml."""
    now, project = time.time(), load_project(folder)
    with opened_record(project) as record:
        once = record.maintenances(0.0 if everything else now)
    rows = [row_of(one, now) for one in once]
    rows += [_recurring(one, now) for one in project.config.rails.maintenance]
    print_rows(rows, ["id", "state", "reason", "matchers", "starts", "ends", "who"], output)


@command.command()
@click.argument("window_id", metavar="ID")
@project_option
def end(window_id: str, folder: Path) -> None:
    """Close a window of this once now."""
    with changing(folder) as (record, said):
        record.end_maintenance(window_id, time.time())
        said.append(f"maintenance {window_id} ended by {os_user()}")


def _recurring(one: Window, now: float) -> dict[str, Any]:
    from selfheal.rails.calendar import is_open, open_until

    is_active = is_open(one.time_intervals, now)
    return {
        "id": "",
        "state": "active" if is_active else "pending",
        "matchers": ", ".join(map(str, one.match)),
        "reason": one.name,
        "who": "selfheal.yml",
        "starts": "",
        "ends": timestamp(open_until(one.time_intervals, now)) if is_active else "",
    }
