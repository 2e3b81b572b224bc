"""What `approve` and `deny` share: an answer typed in on the engine's machine."""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path

import click

from selfheal.cli.exits import Exit
from selfheal.cli.project import record_of
from selfheal.exit_codes import FAILED
from selfheal.model import Answer, Approval, ApprovalState, Channel, Heard
from selfheal.ports import Record

ANSWERED = "approval_answered"
"""Inbox message that makes the engine look at its questions."""


def os_user() -> str:
    """Return the name of the user who runs this process: behind sudo the one who called it.

    The environment of anybody but root has no say."""
    number = os.getuid()
    if number == 0 and (caller := os.environ.get("SUDO_USER")):
        return caller
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


def give_answer(folder: Path, approval_id: str, who: str, why: str, *, yes: bool) -> None:
    """Put the answer on record, wake the engine, and say what became of it.

    Raises UsageError for one who may not answer, Exit 1 when it was decided otherwise before."""
    who = who or os_user()
    with record_of(folder) as record:
        given = Answer(who, yes, why, time.time(), Channel.CLI)
        heard, approval = _write(record, approval_id, given)
    if heard is Heard.NOT_ASKED:
        names = ", ".join(approval.approvers)
        raise click.UsageError(f"{who} may not answer, only {names}: say who you are by --as")
    click.echo(_said(heard, approval), err=True)
    wanted = ApprovalState.APPROVED if yes else ApprovalState.DENIED
    if heard is Heard.TOO_LATE and approval.state is not wanted:
        raise Exit(FAILED)


def _write(record: Record, approval_id: str, given: Answer) -> tuple[Heard, Approval]:
    from selfheal.approvals import answer, tell_typist

    with record.transaction():
        heard, approval = answer(record, approval_id, given)
        if heard is Heard.COUNTED:
            tell_typist(record, approval, given.who, os_user())
        record.post(ANSWERED, {"approval_id": approval.id}, given.at)
    return heard, approval


def _said(heard: Heard, approval: Approval) -> str:
    from selfheal.approvals import verdict

    if heard is Heard.TOO_LATE:
        return f"{approval.id} was decided already: {verdict(approval)}"
    if approval.state is ApprovalState.PENDING:
        return f"{approval.id}: noted; more answers are needed"
    return f"{approval.id} is {verdict(approval)}"
