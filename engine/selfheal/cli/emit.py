"""`selfheal emit`: hand an event to the running engine, through the record."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from selfheal.cli.project import opened_record, project_option
from selfheal.config import load_project
from selfheal.model import new_id


@click.command("emit")
@click.argument("event", default="-")
@click.option("--ruleset", default="", help="Only to this ruleset. [default: to all]")
@project_option
def command(event: str, ruleset: str, folder: Path) -> None:
    """Hand an event to the running engine.

    EVENT is a JSON object, @FILE, or - for standard input. The event is on disk when the command
    returns; an engine that is not running takes it when it starts.
    """
    body = _read(event)
    with opened_record(load_project(folder)) as record:
        payload = {"event": body, "ruleset": ruleset, "id": new_id("em")}
        number = record.post("emit", payload, time.time())
    click.echo(f"event accepted as message {number}", err=True)


def _read(event: str) -> dict[str, Any]:
    try:
        if event == "-":
            text = sys.stdin.buffer.read().decode("utf-8")
        elif event.startswith("@"):
            text = Path(event[1:]).read_text(encoding="utf-8")
        else:
            text = event
        body = json.loads(text)
    except OSError as error:
        raise click.UsageError(f"the event can't be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"the event is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise click.UsageError('the event must be a JSON object, such as {"host": "web1"}')
    return body
