"""`selfheal resume`: lift pauses."""

from __future__ import annotations

import time
from pathlib import Path

import click

from selfheal.cli.answers import os_user
from selfheal.cli.guarding import changing
from selfheal.cli.project import project_option
from selfheal.errors import NotFoundError
from selfheal.model import Pause, Scope


@click.command("resume")
@click.argument("pause_id", metavar="[ID]", required=False)
@click.option("--rule", default="", help="Lift the pauses of this rule.")
@click.option("--solution", default="", help="Lift the pauses of this solution.")
@click.option("--all", "everything", is_flag=True, help="Lift every pause.")
@project_option
def command(pause_id: str | None, rule: str, solution: str, everything: bool, folder: Path) -> None:
    """Lift a pause: the one with ID, else what holds everything."""

    if pause_id is not None and not pause_id.strip():
        raise click.UsageError("the ID is empty; leave it out to lift what holds everything")

    def is_meant(one: Pause) -> bool:
        if everything:
            return True
        if pause_id is not None:
            return one.id.startswith(pause_id)
        scope = Scope.RULE if rule else Scope.SOLUTION if solution else Scope.GLOBAL
        return one.scope is scope and one.name == (rule or solution)

    now = time.time()
    with changing(folder) as (record, said):
        meant = [one for one in record.pauses(now) if is_meant(one)]
        if not meant:
            raise NotFoundError("nothing such is paused; see: selfheal pause --list")
        if pause_id is not None and len(meant) > 1:
            raise click.UsageError(f"several pauses begin with {pause_id!r}; write more of the ID")
        for one in meant:
            record.end_pause(one.id, now)
            said.append(f"resumed by {os_user()}: {one.reason}")
    click.echo(f"lifted {len(meant)}", err=True)
