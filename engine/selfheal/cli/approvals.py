"""`selfheal approvals`: what the engine asks of people, and what they said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from selfheal.approvals import verdict
from selfheal.cli.answers import ANSWERED, os_user
from selfheal.cli.exits import Exit
from selfheal.cli.output import echo, output_option, plain, print_data, print_rows, timestamp
from selfheal.cli.project import project_option, record_of
from selfheal.duration import format_duration
from selfheal.exit_codes import FAILED
from selfheal.model import Approval, ApprovalState, Grant, Healing, Kind

_STATES = [one.value for one in ApprovalState]


@click.group("approvals")
def command() -> None:
    """List and show what people are asked, and what was approved ahead."""


@command.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only those.")
@click.option("-n", "--limit", default=50, show_default=True, help="At most so many.")
@project_option
@output_option
def list_(state: str | None, limit: int, folder: Path, output: str) -> None:
    """List approvals, newest first."""
    with record_of(folder) as record:
        rows = [_row(one) for one in record.approvals(limit=limit, state=state or "")]
    print_rows(rows, ["id", "state", "solution", "target", "risk", "asked", "left"], output)


@command.command()
@click.argument("approval_id", metavar="ID")
@project_option
@output_option
def show(approval_id: str, folder: Path, output: str) -> None:
    """Show one approval: what would be run, why it is asked, each answer."""
    with record_of(folder) as record:
        approval = record.approval(approval_id)
        healing = record.healing(approval.healing_id)
    if output != "table":
        print_data(plain(approval), output)
        return
    for line in _lines(approval, healing):
        echo(line)


@command.command()
@click.option("--valid", is_flag=True, help="Only those that can be used now.")
@click.option("-n", "--limit", default=50, show_default=True, help="At most so many.")
@project_option
@output_option
def grants(valid: bool, limit: int, folder: Path, output: str) -> None:
    """List what was approved ahead of time, newest first."""
    with record_of(folder) as record:
        found = record.grants(limit=limit, valid_at=time.time() if valid else None)
    columns = ["id", "solution", "target", "uses", "used", "who", "from", "until", "why"]
    print_rows([_grant_row(one) for one in found], columns, output)


@command.command()
@click.argument("grant_id", metavar="ID")
@click.option("--why", default="", help="Goes on record.")
@project_option
def revoke(grant_id: str, why: str, folder: Path) -> None:
    """Take back what was approved ahead of time; what it was used for stands."""
    with record_of(folder) as record:
        grant = record.grant(grant_id)
        with record.transaction():
            revoked = record.revoke_grant(grant.id, time.time())
            if revoked:
                text = f"{os_user()} revokes {grant.id}" + (f": {why}" if why else "")
                record.tell(Kind.APPROVAL, text, data={"grant_id": grant.id})
                record.post(ANSWERED, {"grant_id": grant.id}, time.time())
    if not revoked:
        click.echo(f"{grant.id} was revoked already", err=True)
        raise Exit(FAILED)
    click.echo(f"{grant.id} is revoked", err=True)


def _row(approval: Approval) -> dict[str, Any]:
    left = approval.expires_at - time.time()
    waits = approval.state is ApprovalState.PENDING
    return {
        "id": approval.id,
        "state": approval.state.value,
        "solution": approval.solution,
        "target": approval.target,
        "risk": approval.risk.value,
        "healing": approval.healing_id,
        "incident": approval.incident_id,
        "need": approval.need.value,
        "approvers": ", ".join(approval.approvers),
        "asked": timestamp(approval.asked_at),
        "expires": timestamp(approval.expires_at),
        "left": format_duration(max(0.0, left)) if waits else "",
        "verdict": verdict(approval),
    }


def _grant_row(grant: Grant) -> dict[str, Any]:
    return {
        "id": grant.id,
        "solution": grant.solution,
        "target": grant.target,
        "uses": grant.uses,
        "used": grant.used,
        "who": grant.who,
        "from": timestamp(grant.valid_from),
        "until": "revoked" if grant.revoked_at else timestamp(grant.valid_until),
        "why": grant.why,
    }


def _lines(approval: Approval, healing: Healing) -> Iterator[str]:
    for key, value in _row(approval).items():
        yield f"{key:>10}: {value or '-'}"
    yield "\nwould be run:"
    for number, step in enumerate(healing.ladder[approval.rung].steps, 1):
        yield f"  {number}. {step.name}: {step.playbook}"
        yield f"     undone by {step.rollback or 'nothing'}"
    yield "\nasked because:"
    yield from (f"  {reason}" for reason in approval.reasons)
    for answer in approval.answers:
        said = "yes" if answer.yes else "no"
        line = f"\n{timestamp(answer.at)}  {answer.who}: {said} ({answer.channel.value})"
        yield f"{line}: {answer.why}" if answer.why else line
