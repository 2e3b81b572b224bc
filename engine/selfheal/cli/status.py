"""`selfheal status`: is the engine there, and what is it doing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from selfheal.cli.output import output_option, print_data, timestamp
from selfheal.cli.project import project_option, record_of
from selfheal.config import load_project
from selfheal.daemon.lock import holder_of
from selfheal.model import Kind
from selfheal.ports import Record


@click.command("status")
@project_option
@output_option
def command(folder: Path, output: str) -> None:
    """Tell what the engine is doing."""
    holder = holder_of(load_project(folder).state)
    with record_of(folder) as record:
        data = {"engine": f"running, pid {holder}" if holder else "not running", **_facts(record)}
    if output != "table":
        print_data(data, output)
        return
    for key, value in data.items():
        click.echo(f"{key.replace('_', ' '):>20}: {value}")


def _facts(record: Record) -> dict[str, Any]:
    running = record.healings(state="running")
    newest = record.incidents(limit=1)
    last = record.last_entry(Kind.ENGINE)
    return {
        "open_incidents": len(record.incidents(state="open", limit=10_000)),
        "needing_a_human": len(record.incidents(state="manual", limit=10_000)),
        "healings_running": len(running),
        "healings_queued": len(record.healings(state="queued", limit=10_000)),
        "busy_resources": ", ".join(one.resource for one in running) or "none",
        "newest_incident": timestamp(newest[0].opened_at) if newest else "none",
        "engine_last_said": f"{timestamp(last.at)} {last.text}" if last else "nothing",
    }
