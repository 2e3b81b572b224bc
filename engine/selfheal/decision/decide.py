"""Decide about one rung of the ladder: run it, alone or with a human's consent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfheal.decision.confidence import confidence
from selfheal.decision.ladder import RecordOf, ladder_votes
from selfheal.model import Decision, Fault, Refusal, Risk, Solution, Strategy, new_id


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
    objections: Sequence[str] = (),
) -> Decision:
    """Return the decision to run `ladder[rung]`, and whether a human must agree to it.

    `objections` are reasons from elsewhere why a human must; the policy may add its own. The
    reasons for asking stand last in the reasoning."""
    solution = ladder[rung]
    belief = confidence(record_of(solution.name))
    found = (*objections, *_objections(solution, belief, policy))
    return Decision(
        id=new_id("de"),
        incident_id=fault.incident_id,
        fault_id=fault.id,
        at=now,
        strategy=solution.strategy,
        solution=solution.name,
        confidence=belief,
        risk=solution.risk,
        requires_approval=bool(found),
        refused=None,
        reasoning=(*_reasons(fault, ladder, rung, belief, record_of), *found),
        votes=ladder_votes(ladder, record_of),
    )


def refuse(
    fault: Fault,
    refusal: Refusal,
    reasons: Sequence[str],
    now: float,
    *,
    solution: Solution | None = None,
) -> Decision:
    """Return the decision to run nothing, or not `solution`, and why."""
    return Decision(
        id=new_id("de"),
        incident_id=fault.incident_id,
        fault_id=fault.id,
        at=now,
        strategy=solution.strategy if solution else Strategy.MANUAL,
        solution=solution.name if solution else "",
        confidence=0.0,
        risk=solution.risk if solution else Risk.LOW,
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
