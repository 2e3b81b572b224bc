"""Approvals and who gave them, links that were used, what was granted ahead of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_TABLES = (
    """
    CREATE TABLE approvals (
        id TEXT PRIMARY KEY,
        healing_id TEXT NOT NULL REFERENCES healings (id) ON DELETE CASCADE,
        incident_id TEXT NOT NULL,
        rung INTEGER NOT NULL,
        solution TEXT NOT NULL,
        risk TEXT NOT NULL,
        target TEXT NOT NULL,
        reasons TEXT NOT NULL,
        need TEXT NOT NULL,
        approvers TEXT NOT NULL,
        asked_at FLOAT NOT NULL,
        expires_at FLOAT NOT NULL,
        state TEXT NOT NULL,
        ended_at FLOAT,
        told_at FLOAT
    )
    """,
    "CREATE UNIQUE INDEX approvals_pending ON approvals (healing_id, rung) WHERE state = 'pending'",
    "CREATE INDEX approvals_of_healing ON approvals (healing_id)",
    """
    CREATE TABLE approval_answers (
        seq INTEGER PRIMARY KEY,
        approval_id TEXT NOT NULL REFERENCES approvals (id) ON DELETE CASCADE,
        who TEXT NOT NULL,
        yes INTEGER NOT NULL,
        why TEXT NOT NULL,
        at FLOAT NOT NULL,
        channel TEXT NOT NULL
    )
    """,
    "CREATE INDEX answers_of_approval ON approval_answers (approval_id)",
    """
    CREATE TABLE approval_links (
        digest TEXT PRIMARY KEY,
        approval_id TEXT NOT NULL REFERENCES approvals (id) ON DELETE CASCADE,
        used_at FLOAT NOT NULL
    )
    """,
    "CREATE INDEX links_of_approval ON approval_links (approval_id)",
    """
    CREATE TABLE grants (
        id TEXT PRIMARY KEY,
        solution TEXT NOT NULL,
        target TEXT NOT NULL,
        valid_from FLOAT NOT NULL,
        valid_until FLOAT NOT NULL,
        uses INTEGER NOT NULL,
        who TEXT NOT NULL,
        why TEXT NOT NULL,
        made_at FLOAT NOT NULL,
        revoked_at FLOAT
    )
    """,
    """
    CREATE TABLE grant_uses (
        grant_id TEXT NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
        approval_id TEXT NOT NULL,
        at FLOAT NOT NULL,
        PRIMARY KEY (grant_id, approval_id)
    )
    """,
)


def m008_approvals(db: Database) -> None:
    """Approvals, their answers, used links; grants and what they were used for.

    An approval goes with its healing, and what belongs to it goes with it. The use of a grant
    stays: without it the grant could be used once more."""
    for statement in _TABLES:
        db.execute(statement)
