"""`selfheal approve`: say yes to what the engine asks, or will ask."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import click

from selfheal.cli.guarding import instant
from selfheal.cli.output import timestamp
from selfheal.cli.project import project_option, record_to_change
from selfheal.config import Project, load_project
from selfheal.duration import parse_duration
from selfheal.errors import DurationError
from selfheal.model import Grant, Kind, new_id

_DAY = 86_400.0


@click.command("approve")
@click.argument("approval_id", metavar="[ID]", default="")
@click.option("--ahead", default="", metavar="SOLUTION", help="Say yes to what is yet to be asked.")
@click.option("--target", default="*", show_default=True, metavar="GLOB", help="Of --ahead.")
@click.option("--from", "start", default="", metavar="TIME", help="Of --ahead. [default: now]")
@click.option("--until", "end", default="", metavar="TIME", help="Of --ahead. [default: a day on]")
@click.option("--uses", default=1, show_default=True, help="Of --ahead: for how many questions.")
@click.option("--why", default="", help="Goes on record; --ahead must have it.")
@click.option("--as", "who", default="", metavar="NAME", help="Who says so. [default: the user]")
@project_option
def command(
    approval_id: str,
    ahead: str,
    target: str,
    start: str,
    end: str,
    uses: int,
    why: str,
    who: str,
    folder: Path,
) -> None:
    """Say yes to what the engine asks, or will ask.

    ID is in the message and in `selfheal approvals list`. With --ahead a solution (a glob) is
    approved before it is asked about; a TIME is ISO 8601, or a duration from now such as 2h. Exit
    code 1: it was decided otherwise before.
    """
    if bool(approval_id) == bool(ahead):
        raise click.UsageError("give the ID of a question, or --ahead SOLUTION")
    if approval_id:
        if target != "*" or start or end or uses != 1:
            raise click.UsageError("--target, --from, --until and --uses belong to --ahead")
        from selfheal.cli.answers import give_answer

        give_answer(folder, approval_id, who, why, yes=True)
        return
    project, now = load_project(folder), time.time()
    begins = _time(start, now, "--from") if start else now
    grant = Grant(
        id=new_id("gr"),
        solution=ahead,
        target=target,
        valid_from=begins,
        valid_until=_time(end, now, "--until") if end else begins + _DAY,
        uses=uses,
        who=_granter(project, who),
        why=why,
        made_at=now,
    )
    _check(grant, now)
    _write(folder, grant)


def _write(folder: Path, grant: Grant) -> None:
    from selfheal.cli.answers import ANSWERED

    times = f"{grant.uses} times" if grant.uses > 1 else "once"
    until = timestamp(grant.valid_until)
    text = f"{grant.solution} on {grant.target}, {times}, until {until}"
    with record_to_change(folder) as record, record.transaction():
        record.add_grant(grant)
        story = f"{grant.who} approves ahead of time: {text} ({grant.id}): {grant.why}"
        record.tell(Kind.APPROVAL, story, data={"grant_id": grant.id})
        record.post(ANSWERED, {"grant_id": grant.id}, grant.made_at)
    click.echo(grant.id)
    click.echo(f"approved ahead of time: {text}", err=True)


def _granter(project: Project, who: str) -> str:
    from selfheal.cli.answers import os_user

    who, approvers = who or os_user(), project.config.approval.approvers
    if approvers and who not in approvers:
        names = ", ".join(approvers)
        raise click.UsageError(f"{who} may not approve, only {names}: say who you are by --as")
    return who


def _check(grant: Grant, now: float) -> None:
    if not grant.why:
        raise click.UsageError("--ahead: say --why, people will ask")
    if grant.uses < 1:
        raise click.UsageError("--uses: at least 1")
    if grant.valid_until <= max(now, grant.valid_from):
        raise click.UsageError("--until: that time is over before it begins")


def _time(text: str, now: float, option: str) -> float:
    with contextlib.suppress(DurationError):
        return now + parse_duration(text)
    try:
        return instant(text)
    except click.UsageError as error:
        raise click.UsageError(f"{option}: {error.message}, or a duration such as 2h") from error
