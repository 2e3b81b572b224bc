"""Decide about one rung of the ladder: run it, or refuse with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfheal.decision.confidence import confidence
from selfheal.decision.ladder import RecordOf, ladder_votes
from selfheal.model import Decision, Fault, FaultState, Refusal, Risk, Solution, Strategy, new_id


@dataclass(frozen=True, slots=True)
class Policy:
    """When a human must say yes first."""

    risk: Risk = Risk.HIGH
    """Solutions of this risk and above need approval."""
    confidence: float = 0.7
    """Solutions believed in less than this need approval."""


def decide_rung(
    fault: Fault,
    ladder: Sequence[Solution],
    rung: int,
    record_of: RecordOf,
    policy: Policy,
    now: float,
) -> Decision:
    """Return the decision about `ladder[rung]`, or about a human when no rung is left."""
    if fault.state is not FaultState.OPEN:
        why = f"the fault is {fault.state.value}; nothing needs doing"
        return refuse(fault, Refusal.FAULT_GONE, [why], now)
    if rung >= len(ladder):
        return refuse(fault, Refusal.LADDER_EXHAUSTED, [f"all {rung} rungs were tried"], now)
    solution = ladder[rung]
    belief = confidence(record_of(solution.name))
    objections = _objections(solution, belief, policy)
    return Decision(
        id=new_id("de"),
        incident_id=fault.incident_id,
        fault_id=fault.id,
        at=now,
        strategy=solution.strategy,
        solution=solution.name,
        confidence=belief,
        risk=solution.risk,
        requires_approval=bool(objections),
        refused=Refusal.APPROVAL_REQUIRED if objections else None,
        reasoning=(*_reasons(fault, ladder, rung, belief, record_of), *objections),
        votes=ladder_votes(ladder, record_of),
    )


def unattended(
    ladder: Sequence[Solution], record_of: RecordOf, policy: Policy
) -> tuple[tuple[Solution, ...], list[str]]:
    """Return the rungs that may run with nobody watching, and why each other one may not."""
    allowed, why_not = [], []
    for solution in ladder:
        objections = _objections(solution, confidence(record_of(solution.name)), policy)
        why_not += [f"{solution.name}: {objection}" for objection in objections]
        if not objections:
            allowed.append(solution)
    return tuple(allowed), why_not


def refuse(
    fault: Fault, refusal: Refusal, reasons: Sequence[str], now: float, risk: Risk = Risk.LOW
) -> Decision:
    """Return the decision to run nothing, and why."""
    return Decision(
        id=new_id("de"),
        incident_id=fault.incident_id,
        fault_id=fault.id,
        at=now,
        strategy=Strategy.MANUAL,
        solution="",
        confidence=0.0,
        risk=risk,
        requires_approval=False,
        refused=refusal,
        reasoning=tuple(reasons),
    )


def _reasons(
    fault: Fault, ladder: Sequence[Solution], rung: int, belief: float, record_of: RecordOf
) -> list[str]:
    solution = ladder[rung]
    record = record_of(solution.name)
    used = (
        f"it healed {record.healed} of {record.usage_count} times"
        if record.usage_count
        else "it was never used before"
    )
    return [
        f"root cause {fault.root_cause} fits {solution.root_cause}",
        f"rung {rung + 1} of {len(ladder)}: {solution.strategy.value}",
        f"confidence {belief:.2f}: {used}",
        f"risk {solution.risk.value}",
    ]


def _objections(solution: Solution, belief: float, policy: Policy) -> list[str]:
    found = []
    if solution.risk.level >= policy.risk.level:
        found.append(f"risk {solution.risk.value} needs a human's approval")
    if belief < policy.confidence:
        found.append(
            f"confidence {belief:.2f} is below {policy.confidence:.2f}: a human must agree"
        )
    return found
