"""`selfheal incidents`: what went wrong, and what was decided about it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from selfheal.cli.answers import os_user
from selfheal.cli.output import echo, output_option, plain, print_data, print_rows, timestamp
from selfheal.cli.project import project_option, record_of
from selfheal.daemon.closing import close_by_hand
from selfheal.model import Entry, Incident, IncidentState
from selfheal.ports import Record

_STATES = [one.value for one in IncidentState]


@click.group("incidents")
def command() -> None:
    """List and show incidents."""


@command.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only those.")
@click.option("-n", "--limit", default=50, show_default=True, help="At most so many.")
@project_option
@output_option
def list_(state: str | None, limit: int, folder: Path, output: str) -> None:
    """List incidents, newest first."""
    with record_of(folder) as record:
        rows = [_row(record, one) for one in record.incidents(limit=limit, state=state or "")]
    columns = ["id", "state", "severity", "component", "target", "message", "opened"]
    print_rows(rows, columns, output)


@command.command()
@click.argument("incident_id", metavar="ID")
@project_option
@output_option
def show(incident_id: str, folder: Path, output: str) -> None:
    """Show one incident: its fault, each decision with its reasons, and the whole story."""
    with record_of(folder) as record:
        incident = record.incident(incident_id)
        fault = record.fault(incident.primary_fault_id)
        decisions = record.decisions(incident.id)
        story = record.entries(incident_id=incident.id, limit=10_000)
        row = _row(record, incident)
    if output == "table":
        for key, value in row.items():
            echo(f"{key:>12}: {value}")
        click.echo()
        for entry in story:
            echo(_line(entry))
        return
    data = {
        **row,
        "fault": plain(fault),
        "decisions": plain(decisions),
        "timeline": plain(story),
    }
    print_data(data, output)


@command.command()
@click.argument("incident_id", metavar="ID")
@click.option("--why", required=True, help="What was done about it; it goes on record.")
@project_option
def close(incident_id: str, why: str, folder: Path) -> None:
    """Close an incident that a human has seen to.

    A new fault is healed again; when this one is still reported five minutes later a human is
    called. A healing that is under way is asked to stop: what it ran is rolled back.
    """
    with record_of(folder) as record:
        incident = record.incident(incident_id)
        if incident.state in (IncidentState.HEALED, IncidentState.RESOLVED):
            raise click.ClickException(f"{incident.id} is {incident.state.value} already")
        close_by_hand(record, incident, f"{os_user()}: {why}", time.time())
    click.echo(f"{incident.id} is closed", err=True)


def _row(record: Record, incident: Incident) -> dict[str, Any]:
    fault = record.fault(incident.primary_fault_id)
    return {
        "id": incident.id,
        "state": incident.state.value,
        "type": fault.type,
        "severity": fault.severity.value,
        "component": fault.component,
        "target": fault.target,
        "root_cause": fault.root_cause,
        "message": fault.message,
        "reports": fault.count,
        "opened": timestamp(incident.opened_at),
        "closed": timestamp(incident.closed_at),
    }


def _line(entry: Entry) -> str:
    return f"{timestamp(entry.at)}  {entry.kind.value:<12} {entry.text}"
