"""Hearing an answer and ending a question: each is one transaction on the record."""

from __future__ import annotations

import hashlib
from fnmatch import fnmatchcase

from selfheal.approvals.judge import judge, may_answer
from selfheal.errors import NotFoundError
from selfheal.model import Answer, Approval, ApprovalState, Channel, Grant, Heard, Kind
from selfheal.ports import Record

_MOST_GRANTS = 1000


def answer(
    record: Record, approval_id: str, given: Answer, *, link: str = ""
) -> tuple[Heard, Approval]:
    """Hear one answer; return what became of it, and the approval as it is then.

    Of two answers at the same moment the first decides, also between processes. `link` is the
    token by which the answer came. Raises NotFoundError, also for the mere beginning of an id:
    nobody shall decide what they did not mean."""
    with record.transaction():
        approval = settle(record, approval_id, given.at)
        if approval.id != approval_id:
            raise NotFoundError(f"write the whole id to answer: {approval.id}?")
        heard = _hear(record, approval, given, _digest(link))
        return heard, settle(record, approval.id, given.at)


def decide_now(record: Record, asked: Approval, given: Answer) -> Approval:
    """Put a question, hear its one answer, use the grants that it takes besides; return it.

    Nobody else is waited for: it is PENDING when that was not enough. The answer is heard first,
    so that no grant is used up where it suffices."""
    with record.transaction():
        record.add_approval(asked)
        _hear(record, asked, given, "")
        return settle(record, asked.id, given.at)


def settle(record: Record, approval_id: str, now: float) -> Approval:
    """Use grants that fit, end the approval if it is decided or its time is over; return it."""
    approval = record.approval(approval_id)
    if judge(approval, now) is ApprovalState.PENDING and not _grants(record, approval, now):
        return approval
    with record.transaction():
        approval = record.approval(approval.id)
        if approval.state is ApprovalState.PENDING:
            _use_grants(record, approval, now)
            state = judge(record.approval(approval.id), now)
            if state is not ApprovalState.PENDING:
                _end(record, approval, state, now)
        return record.approval(approval.id)


def withdraw(record: Record, approval: Approval, why: str, now: float) -> bool:
    """Take the question back; False when it had ended before."""
    with record.transaction():
        approval = settle(record, approval.id, now)
        if approval.state is not ApprovalState.PENDING:
            return False
        _end(record, approval, ApprovalState.WITHDRAWN, now, why)
        return True


def link_used(record: Record, link: str) -> bool:
    """Tell whether the link of that token has done its work."""
    return record.link_used(_digest(link))


def tell(record: Record, approval: Approval, text: str) -> None:
    """Add a line on the approval to the story."""
    record.tell(
        Kind.APPROVAL,
        text,
        incident_id=approval.incident_id,
        healing_id=approval.healing_id,
        data={"approval_id": approval.id, "solution": approval.solution},
    )


def tell_typist(record: Record, approval: Approval, who: str, user: str) -> None:
    """Add to the story that another user than the one who answered typed the answer in."""
    if user != who:
        tell(record, approval, f"the answer of {who} was typed in by the user {user}")


def _hear(record: Record, approval: Approval, given: Answer, digest: str) -> Heard:
    if digest and record.link_used(digest):
        return Heard.LINK_USED
    if approval.state is not ApprovalState.PENDING:
        return Heard.TOO_LATE
    if not may_answer(approval, given.who):
        return Heard.NOT_ASKED
    if digest:
        record.use_link(digest, approval.id, given.at)
    if any(one.who == given.who and one.yes == given.yes for one in approval.answers):
        return Heard.REPEATED
    record.add_answer(approval.id, given)
    tell(record, approval, _spoken(given))
    return Heard.COUNTED


def _use_grants(record: Record, approval: Approval, now: float) -> None:
    """Use up no more of them than it takes."""
    for grant in _grants(record, approval, now):
        if judge(record.approval(approval.id), now) is not ApprovalState.PENDING:
            return
        if record.use_grant(grant.id, approval.id, now):
            given = Answer(grant.who, True, grant.why, now, Channel.GRANT)
            record.add_answer(approval.id, given)
            tell(record, approval, f"{_spoken(given)} ({grant.id})")


def _grants(record: Record, approval: Approval, now: float) -> list[Grant]:
    """Those that fit, one a person who has not said yes yet, the first to end first."""
    agreed = {one.who for one in approval.answers if one.yes}
    fitting: dict[str, Grant] = {}
    valid = record.grants(limit=_MOST_GRANTS, valid_at=now)
    for grant in sorted(valid, key=lambda one: (one.valid_until, one.id)):
        if _fits(grant, approval) and grant.who not in agreed:
            fitting.setdefault(grant.who, grant)
    return list(fitting.values())


def _fits(grant: Grant, approval: Approval) -> bool:
    return (
        fnmatchcase(approval.solution, grant.solution)
        and fnmatchcase(approval.target, grant.target)
        and may_answer(approval, grant.who)
    )


def _end(
    record: Record, approval: Approval, state: ApprovalState, now: float, why: str = ""
) -> None:
    if record.end_approval(approval.id, state, now):
        text = f"{approval.solution} on {approval.target}: {state.value}"
        tell(record, approval, f"{text}: {why}" if why else text)


def _spoken(given: Answer) -> str:
    verb = "approves" if given.yes else "denies"
    said = f"{given.who} {verb} by {given.channel.value}"
    return f"{said}: {given.why}" if given.why else said


def _digest(link: str) -> str:
    """Only this is kept: who reads the record can't make a link of it."""
    return hashlib.sha256(link.encode()).hexdigest() if link else ""
