"""Where an approval stands, from its answers and the time alone."""

from __future__ import annotations

from selfheal.model import Approval, ApprovalState, Need


def judge(approval: Approval, now: float) -> ApprovalState:
    """Return what the approval has come to at the Unix time `now`.

    What has ended stays as it ended. Else the answers are heard in order: those of people who
    may answer, given in time. One no decides; so do as many different people's yes as needed.
    Too few by `expires_at` is EXPIRED."""
    if approval.state is not ApprovalState.PENDING:
        return approval.state
    agreed: set[str] = set()
    for answer in approval.answers:
        if answer.at >= approval.expires_at or not may_answer(approval, answer.who):
            continue
        if not answer.yes:
            return ApprovalState.DENIED
        agreed.add(answer.who)
        if len(agreed) >= _needed(approval):
            return ApprovalState.APPROVED
    return ApprovalState.EXPIRED if now >= approval.expires_at else ApprovalState.PENDING


def may_answer(approval: Approval, who: str) -> bool:
    """Tell whether the answer of that person counts."""
    return not approval.approvers or who in approval.approvers


def verdict(approval: Approval) -> str:
    """Return in one line where it stands, and whose answers decided."""
    state = str(approval.state.value)
    if approval.state not in (ApprovalState.APPROVED, ApprovalState.DENIED):
        return state
    yes = approval.state is ApprovalState.APPROVED
    people = dict.fromkeys(one.who for one in approval.answers if one.yes is yes)
    return f"{state} by {', '.join(people)}"


def _needed(approval: Approval) -> int:
    """At least one: `all` of nobody is nobody's consent."""
    return max(1, len(set(approval.approvers))) if approval.need is Need.ALL else 1
