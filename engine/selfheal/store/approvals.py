"""Approvals: asked for, answered, given ahead of time."""

from __future__ import annotations

from typing import Any

from selfheal.model import Answer, Approval, ApprovalState, Grant
from selfheal.store.codec import from_row, to_row
from selfheal.store.connection import Conflict
from selfheal.store.repository import Repository

_USED = "(SELECT count(*) FROM grant_uses WHERE grant_id = grants.id)"
_VALID = f"revoked_at IS NULL AND valid_from <= ? AND ? < valid_until AND {_USED} < uses"


class Approvals(Repository):
    """Implements `ports.ApprovalRecord`."""

    def add_approval(self, approval: Approval) -> None:
        try:
            self._db.insert("approvals", to_row(approval, without=frozenset({"answers"})))
        except Conflict as error:
            if "healing_id" not in str(error):
                raise
            text = f"the rung {approval.rung + 1} of {approval.healing_id} is being asked for"
            raise Conflict(text) from error

    def approval(self, approval_id: str) -> Approval:
        with self._db.reading():
            return self._answered(self._by_prefix("approvals", approval_id))

    def approvals(
        self, *, limit: int = 50, state: str = "", healing_id: str = ""
    ) -> list[Approval]:
        order = "asked_at DESC, rowid DESC"
        with self._db.reading():
            rows = self._where("approvals", order, limit, state=state, healing_id=healing_id)
            return [self._answered(row) for row in rows]

    def add_answer(self, approval_id: str, answer: Answer) -> None:
        self._db.insert("approval_answers", {"approval_id": approval_id} | to_row(answer))

    def end_approval(self, approval_id: str, state: ApprovalState, at: float) -> bool:
        with self._db.writing():
            self._one("approvals", approval_id)
            cursor = self._db.execute(
                "UPDATE approvals SET state = ?, ended_at = ? WHERE id = ? AND state = 'pending'",
                (state.value, at, approval_id),
            )
        return cursor.rowcount == 1

    def people_told(self, approval_id: str) -> float | None:
        told: float | None = self._one("approvals", approval_id)["told_at"]
        return told

    def set_people_told(self, approval_id: str, at: float) -> None:
        self._update("approvals", approval_id, {"told_at": at})

    def use_link(self, digest: str, approval_id: str, at: float) -> bool:
        with self._db.writing():
            if self.link_used(digest):
                return False
            row = {"digest": digest, "approval_id": approval_id, "used_at": at}
            self._db.insert("approval_links", row)
        return True

    def link_used(self, digest: str) -> bool:
        return self._db.row("SELECT 1 FROM approval_links WHERE digest = ?", (digest,)) is not None

    def add_grant(self, grant: Grant) -> None:
        self._db.insert("grants", to_row(grant, without=frozenset({"used"})))

    def grant(self, grant_id: str) -> Grant:
        with self._db.reading():
            row = self._by_prefix("grants", grant_id)
            sql = "SELECT count(*) AS used FROM grant_uses WHERE grant_id = ?"
            return from_row(Grant, row | (self._db.row(sql, (row["id"],)) or {}))

    def grants(self, *, limit: int = 50, valid_at: float | None = None) -> list[Grant]:
        condition, values = ("1", ()) if valid_at is None else (_VALID, (valid_at, valid_at))
        rows = self._db.rows(
            f"SELECT grants.*, {_USED} AS used FROM grants WHERE {condition} "  # noqa: S608 (parts are the code's own)
            "ORDER BY made_at DESC, rowid DESC LIMIT ?",
            (*values, limit),
        )
        return [from_row(Grant, row) for row in rows]

    def use_grant(self, grant_id: str, approval_id: str, at: float) -> bool:
        with self._db.writing():
            cursor = self._db.execute(
                "INSERT OR IGNORE INTO grant_uses (grant_id, approval_id, at) "  # noqa: S608 (parts are the code's own)
                f"SELECT id, ?, ? FROM grants WHERE id = ? AND {_VALID}",
                (approval_id, at, grant_id, at, at),
            )
        return cursor.rowcount == 1

    def revoke_grant(self, grant_id: str, at: float) -> bool:
        with self._db.writing():
            self._one("grants", grant_id)
            cursor = self._db.execute(
                "UPDATE grants SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
                (at, grant_id),
            )
        return cursor.rowcount == 1

    def _answered(self, row: dict[str, Any]) -> Approval:
        found = self._db.rows(
            "SELECT * FROM approval_answers WHERE approval_id = ? ORDER BY seq", (row["id"],)
        )
        answers = tuple(from_row(Answer, one) for one in found)
        return from_row(Approval, row, answers=answers)
