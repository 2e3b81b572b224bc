"""What people are told when they are asked. Links are no part of it: see `links`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from selfheal.model import Approval, Healing, Need, Step
from selfheal.ports import JSON


def subject_of(approval: Approval) -> str:
    """Return one line."""
    text = f"approval needed: {approval.solution} on {approval.target} ({approval.risk.value} risk)"
    return " ".join(text.split())


def body_of(approval: Approval, healing: Healing) -> str:
    """Return what would be run, why a human is asked, until when, and how to answer."""
    return "\n".join(_lines(approval, healing))


def data_of(approval: Approval) -> JSON:
    """Return the same for programs; enough to make links of, and no secret."""
    return {
        "approval_id": approval.id,
        "incident_id": approval.incident_id,
        "healing_id": approval.healing_id,
        "solution": approval.solution,
        "target": approval.target,
        "risk": approval.risk.value,
        "approvers": list(approval.approvers),
        "need": approval.need.value,
        "expires_at": approval.expires_at,
    }


def _lines(approval: Approval, healing: Healing) -> Iterator[str]:
    yield f"{approval.solution} would be run on {approval.target} ({approval.risk.value} risk):"
    for number, step in enumerate(healing.ladder[approval.rung].steps, 1):
        yield _step(number, step)
    yield "\nwhy you are asked:"
    yield from (f"  {reason}" for reason in approval.reasons)
    until = datetime.fromtimestamp(approval.expires_at, UTC).isoformat(" ", "seconds")
    yield f"\n{who_must(approval)}; without an answer by {until} it is not run"
    yield f"yes: selfheal approve {approval.id}"
    yield f"no:  selfheal deny {approval.id}"
    yield f"more: selfheal approvals show {approval.id}"


def _step(number: int, step: Step) -> str:
    where = f" on {step.limit}" if step.limit else ""
    undo = f" (undone by {step.rollback})" if step.rollback else " (nothing undoes it)"
    return f"  {number}. {step.name}: {step.playbook}{where}{undo}"


def who_must(approval: Approval) -> str:
    """Return in words whose yes it takes."""
    if not approval.approvers:
        return "anybody may answer"
    every = "each" if approval.need is Need.ALL else "one"
    return f"{every} of {', '.join(approval.approvers)} must say yes"
