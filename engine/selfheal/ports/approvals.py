"""Approvals in the record: asked for, answered, given ahead of time."""

from __future__ import annotations

from typing import Protocol

from selfheal.model import Answer, Approval, ApprovalState, Grant


class ApprovalRecord(Protocol):
    """Approvals in the record.

    The methods write what they are told; what an answer means is judged by the stage
    `approvals`, in one `transaction()` with the writing."""

    def add_approval(self, approval: Approval) -> None:
        """Raises StoreError while another one of that healing and rung is PENDING."""
        ...

    def approval(self, approval_id: str) -> Approval:
        """With its answers. Raises NotFoundError; a prefix is enough."""
        ...

    def approvals(
        self, *, limit: int = 50, state: str = "", healing_id: str = ""
    ) -> list[Approval]:
        """Newest first; with their answers."""
        ...

    def add_answer(self, approval_id: str, answer: Answer) -> None: ...

    def end_approval(self, approval_id: str, state: ApprovalState, at: float) -> bool:
        """PENDING to `state`; False, and nothing changed, when it has ended before."""
        ...

    def people_told(self, approval_id: str) -> float | None:
        """Unix time at which people were told of the question; None: not yet."""
        ...

    def set_people_told(self, approval_id: str, at: float) -> None: ...

    def use_link(self, digest: str, approval_id: str, at: float) -> bool:
        """Note that a link, known by its hash only, was used; False when it was before."""
        ...

    def link_used(self, digest: str) -> bool: ...

    def add_grant(self, grant: Grant) -> None: ...

    def grant(self, grant_id: str) -> Grant:
        """Raises NotFoundError; a prefix is enough."""
        ...

    def grants(self, *, limit: int = 50, valid_at: float | None = None) -> list[Grant]:
        """Newest first; with `valid_at` those alone that can be used at that Unix time."""
        ...

    def use_grant(self, grant_id: str, approval_id: str, at: float) -> bool:
        """Use it up by one; False, and nothing changed, when it can't be used at that time, or
        was used for this approval before."""
        ...

    def revoke_grant(self, grant_id: str, at: float) -> bool:
        """Take it back; False when that was done before. What it was used for stands."""
        ...
