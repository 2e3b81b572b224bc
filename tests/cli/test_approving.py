"""approvals, approve, deny: what they put on record, and their exit codes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from selfheal.cli.answers import os_user
from selfheal.model import Approval, ApprovalState, Channel, Need, Risk
from selfheal.store import SqliteRecord, open_record
from tests.store.nouns import a_healing

from .support import data_of, selfheal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with an empty record."""
    (tmp_path / "selfheal.yml").write_text("approval: {approvers: [anna, ben]}\n")
    open_record(tmp_path / ".selfheal" / "selfheal.db").close()
    return tmp_path


@pytest.fixture
def record(folder: Path) -> Iterator[SqliteRecord]:
    opened = open_record(folder / ".selfheal" / "selfheal.db")
    yield opened
    opened.close()


def asked(record: SqliteRecord, **changes: Any) -> Approval:
    """A question that waits."""
    healing = a_healing()
    record.add_healing(healing)
    now = time.time()
    values: dict[str, Any] = {
        "id": "ap-1",
        "healing_id": healing.id,
        "incident_id": "",
        "rung": 0,
        "solution": "restart-backend",
        "risk": Risk.HIGH,
        "target": "web1",
        "reasons": ("the risk is high",),
        "need": Need.ANY,
        "approvers": ("anna", "ben"),
        "asked_at": now,
        "expires_at": now + 3600,
    }
    approval = Approval(**values | changes)
    record.add_approval(approval)
    return approval


def test_approving(folder: Path, record: SqliteRecord) -> None:
    """The answer is on record with who, why and by which way; the engine is woken; who really
    typed it is in the story."""
    asked(record)
    done = selfheal("approve", "ap-1", "--as", "anna", "--why", "go on", "-p", folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "ap-1 is approved by anna\n"
    approval = record.approval("ap-1")
    [answer] = approval.answers
    assert approval.state is ApprovalState.APPROVED
    assert (answer.who, answer.why, answer.channel) == ("anna", "go on", Channel.CLI)
    [(_, kind, payload)] = record.take()
    assert (kind, payload) == ("approval_answered", {"approval_id": "ap-1"})
    assert f"typed in by the user {os_user()}" in record.entries()[-1].text


def test_the_user_is_the_default(folder: Path, record: SqliteRecord) -> None:
    """Without --as the operating system's user answers, who must be an approver where some are."""
    asked(record, approvers=())
    assert selfheal("deny", "ap-1", "-p", folder).returncode == 0
    assert record.approval("ap-1").answers[0].who == os_user()
    asked(record, id="ap-2")
    done = selfheal("approve", "ap-2", "-p", folder)
    assert done.returncode == 2
    assert f"{os_user()} may not answer, only anna, ben" in done.stderr
    assert record.approval("ap-2").answers == ()


def test_the_first_decides(folder: Path, record: SqliteRecord) -> None:
    """Exit 1 and the name of who decided otherwise; 0 when it was decided the same way."""
    asked(record)
    assert selfheal("deny", "ap-1", "--as", "ben", "-p", folder).returncode == 0
    late = selfheal("approve", "ap-1", "--as", "anna", "-p", folder)
    assert (late.returncode, late.stderr) == (1, "ap-1 was decided already: denied by ben\n")
    assert selfheal("deny", "ap-1", "--as", "anna", "-p", folder).returncode == 0
    assert len(record.approval("ap-1").answers) == 1


def test_expired(folder: Path, record: SqliteRecord) -> None:
    """A yes after the time is told that it came too late, and the record says expired."""
    asked(record, expires_at=time.time() - 1)
    done = selfheal("approve", "ap-1", "--as", "anna", "-p", folder)
    assert (done.returncode, done.stderr) == (1, "ap-1 was decided already: expired\n")
    assert record.approval("ap-1").state is ApprovalState.EXPIRED


def test_more_are_needed(folder: Path, record: SqliteRecord) -> None:
    """The first of two says that another is needed."""
    asked(record, need=Need.ALL)
    done = selfheal("approve", "ap-1", "--as", "anna", "-p", folder)
    assert (done.returncode, done.stderr) == (0, "ap-1: noted; more answers are needed\n")


def test_nobody_such(folder: Path) -> None:
    """An id that is not on record is a usage error."""
    for verb in ("approve", "deny"):
        assert selfheal(verb, "ap-nobody", "--as", "anna", "-p", folder).returncode == 2


def test_looking(folder: Path, record: SqliteRecord) -> None:
    """The list says what waits and for how long, the page what would be run and who said what."""
    asked(record, need=Need.ALL, expires_at=time.time() + 3535)
    selfheal("approve", "ap-1", "--as", "anna", "--why", "go on", "-p", folder)
    [row] = data_of("approvals", "list", "--state", "pending", "-p", folder)
    assert (row["id"], row["target"], row["left"][:2]) == ("ap-1", "web1", "58")
    assert data_of("approvals", "list", "--state", "denied", "-p", folder) == []
    page = selfheal("approvals", "show", "ap-1", "-p", folder).stdout
    for part in ("1. restart: restart.yml", "the risk is high", "anna: yes (cli): go on"):
        assert part in page
    assert data_of("approvals", "show", "ap-1", "-p", folder)["answers"][0]["who"] == "anna"


def test_approving_ahead(folder: Path, record: SqliteRecord) -> None:
    """A grant for a while, a target and a number of times, listed, and taken back once."""
    words = ["--ahead", "restart-*", "--target", "web*", "--from", "1h", "--until", "3h"]
    more = ["--uses", "2", "--why", "patch night", "--as", "anna", "-p", str(folder)]
    done = selfheal("approve", *words, *more)
    assert done.returncode == 0, done.stderr
    [grant] = record.grants()
    assert done.stdout.strip() == grant.id
    assert (grant.solution, grant.target, grant.uses) == ("restart-*", "web*", 2)
    assert (grant.who, grant.why) == ("anna", "patch night")
    assert grant.valid_until - grant.valid_from == pytest.approx(7200)
    assert grant.valid_from - grant.made_at == pytest.approx(3600)
    assert record.take()[0][1] == "approval_answered"
    assert data_of("approvals", "grants", "-p", folder)[0]["id"] == grant.id
    assert data_of("approvals", "grants", "--valid", "-p", folder) == []
    codes = [selfheal("approvals", "revoke", grant.id, "-p", folder).returncode for _ in "12"]
    assert codes == [0, 1]
    assert data_of("approvals", "grants", "-p", folder)[0]["until"] == "revoked"


def test_a_grant_ends(folder: Path, record: SqliteRecord) -> None:
    """Without --until it is good for a day, once; a time without a zone is local."""
    start = "2099-01-02T03:04"
    words: list[str | Path] = [
        "--ahead",
        "restart-*",
        "--from",
        start,
        "--why",
        "w",
        "--as",
        "anna",
        "-p",
        folder,
    ]
    assert selfheal("approve", *words).returncode == 0
    [grant] = record.grants()
    assert grant.valid_from == datetime.fromisoformat(start).timestamp()
    assert grant.valid_until - grant.valid_from == 86_400
    assert grant.uses == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["ap-1", "--ahead", "x"],
        ["--ahead", "x", "--as", "anna"],
        ["--ahead", "x", "--why", "w", "--as", "mallory"],
        ["--ahead", "x", "--why", "w", "--as", "anna", "--uses", "0"],
        ["--ahead", "x", "--why", "w", "--as", "anna", "--until", "soon"],
        ["--ahead", "x", "--why", "w", "--as", "anna", "--from", "2h", "--until", "1h"],
        ["--ahead", "x", "--why", "w", "--as", "anna", "--until", "2001-01-01"],
    ],
    ids=" ".join,
)
def test_usage(folder: Path, record: SqliteRecord, words: list[str]) -> None:
    """What is not clear is refused with exit 2, and nothing is granted."""
    assert selfheal("approve", *words, "-p", folder).returncode == 2
    assert record.grants() == []
