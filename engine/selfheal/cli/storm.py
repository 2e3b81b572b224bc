"""`selfheal storm`: storms over the fleet, and ending one by hand."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import click

from selfheal.cli.answers import os_user
from selfheal.cli.guarding import changing
from selfheal.cli.output import output_option, print_rows, timestamp
from selfheal.cli.project import opened_record, project_option
from selfheal.config import load_project
from selfheal.errors import NotFoundError
from selfheal.model import Storm
from selfheal.ports import Record


@click.group("storm")
def command() -> None:
    """List and end storms: while one holds nothing is healed."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@project_option
@output_option
def list_(everything: bool, folder: Path, output: str) -> None:
    """List storms that hold."""
    with opened_record(load_project(folder)) as record:
        found = record.storms(0.0 if everything else math.inf)
    rows = [
        {
            "id": one.id,
            "over": f"group {one.group}" if one.group else "the inventory",
            "state": _state(one),
            "hosts": len(one.members),
            "began": timestamp(one.began_at),
            "ended": timestamp(one.ended_at),
            "ended_by": one.ended_by,
        }
        for one in found
    ]
    print_rows(rows, ["id", "over", "state", "began", "ended", "ended_by"], output)


@command.command()
@click.argument("storm_id", metavar="ID")
@click.option("-m", "--why", required=True, help="Why; whoever finds it will ask.")
@project_option
def end(storm_id: str, why: str, folder: Path) -> None:
    """Let a storm end now; what waits is let through slowly.

    What was broken until now makes no storm again, unless it is reported anew.
    """
    with changing(folder) as (record, said):
        one = _holding(record, storm_id)
        record.put_storm(replace(one, ended_at=time.time(), ended_by=os_user()))
        said.append(f"storm {one.id} ended by {os_user()}: {why}")


def _holding(record: Record, storm_id: str) -> Storm:
    """Return the storm whose id is, or alone begins with, that. Raises NotFoundError."""
    holding = [one for one in record.storms(math.inf) if one.ended_at is None]
    found = [one for one in holding if storm_id and one.id.startswith(storm_id)]
    if len(found) != 1:
        known = ", ".join(one.id for one in holding) or "none"
        raise NotFoundError(f"{storm_id!r} is not one storm that holds; there are: {known}")
    return found[0]


def _state(one: Storm) -> str:
    if one.ended_at is not None:
        return "over"
    return "holds" if one.calm_since is None else "calms down"
