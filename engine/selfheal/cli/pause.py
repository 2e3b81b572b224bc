"""`selfheal pause`: begin nothing new, with a reason."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from selfheal.cli.answers import os_user
from selfheal.cli.guarding import changing, check_name, end_of, span_options
from selfheal.cli.output import output_option, print_rows, timestamp
from selfheal.cli.project import opened_record, project_option
from selfheal.config import load_project
from selfheal.model import Pause, Scope, new_id

_WORDS = frozenset({"list", "show", "status", "end", "resume", "expire", "help"})
"""What is meant as a verb: to take it for a reason would pause everything."""


@click.command("pause")
@click.argument("reason", default="")
@click.option("--rule", default="", help="Only healings of this rule.")
@click.option("--solution", default="", help="Only this solution.")
@span_options
@click.option("--list", "listing", is_flag=True, help="Print what is paused, and change nothing.")
@project_option
@output_option
def command(
    reason: str,
    rule: str,
    solution: str,
    span: str | None,
    until: str | None,
    listing: bool,
    folder: Path,
    output: str,
) -> None:
    """Begin no healing, rung or batch until `selfheal resume`.

    REASON tells whoever finds the engine paused. What runs ends in peace, rolling back included.
    It holds across restarts, and for runbooks run by hand.
    """
    if listing:
        print_rows(_listed(folder), ["id", "scope", "name", "reason", "who", "since"], output)
        return
    if reason.strip() in _WORDS:
        hint = "see `selfheal pause --list`" if reason.strip() in ("list", "show") else "see --help"
        raise click.UsageError(f"{reason.strip()!r} is no reason; {hint}")
    if not reason.strip():
        raise click.UsageError('a reason is needed, such as: selfheal pause "moving the database"')
    if rule and solution:
        raise click.UsageError("give --rule or --solution, not both")
    scope = Scope.RULE if rule else Scope.SOLUTION if solution else Scope.GLOBAL
    if name := rule or solution:
        check_name(folder, scope.value, name)
    now = time.time()
    pause = Pause(new_id("pa"), scope, name, reason, os_user(), now, end_of(now, span, until))
    with changing(folder) as (record, said):
        record.add_pause(pause)
        said.append(f"paused ({f'{scope.value} {name}'.strip()}) by {pause.who}: {reason}")
    click.echo(f"paused as {pause.id}; lift it with: selfheal resume {pause.id}", err=True)


def _listed(folder: Path) -> list[dict[str, Any]]:
    with opened_record(load_project(folder)) as record:
        found = record.pauses(time.time())
    return [
        {
            "id": one.id,
            "scope": one.scope.value,
            "name": one.name,
            "reason": one.reason,
            "who": one.who,
            "since": timestamp(one.since),
            "until": timestamp(one.until),
        }
        for one in found
    ]
