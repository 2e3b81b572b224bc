"""What a human gets when the engine gives up: what is wrong, what was tried, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from selfheal.model import Attempt, Decision, Fault, Healing, StepKind, StepRun


def evidence_of(fault: Fault, decisions: Sequence[Decision], healing: Healing | None) -> str:
    """Return the whole story as text: the fault, each decision, each attempt, where to look."""
    return "\n".join(_lines(fault, decisions, healing))


def _lines(fault: Fault, decisions: Sequence[Decision], healing: Healing | None) -> Iterator[str]:
    since = datetime.fromtimestamp(fault.starts_at, UTC).isoformat(" ", "seconds")
    yield f"{fault.severity.value} {fault.type}: {fault.message}"
    yield f"component {fault.component}, target {fault.target or '-'}, since {since}"
    reported = "once" if fault.count == 1 else f"{fault.count} times"
    yield f"root cause: {fault.root_cause or 'unknown'}; reported {reported}"
    yield from _decided(decisions)
    if healing is not None:
        yield from _tried(healing)
    yield f"\nmore: selfheal incidents show {fault.incident_id}"
    yield "selfheal leaves this fault to you until it is resolved, or until:"
    yield f"  selfheal incidents close {fault.incident_id} --why …"


def _decided(decisions: Iterable[Decision]) -> Iterator[str]:
    for decision in decisions:
        verdict = decision.refused.value if decision.refused else "run"
        yield f"\ndecided: {verdict} {decision.solution}".rstrip()
        for reason in decision.reasoning:
            yield f"  because {reason}"


def _tried(healing: Healing) -> Iterator[str]:
    if healing.outcome:
        yield f"\noutcome: {healing.outcome.value}: {healing.reason}"
    for attempt in healing.attempts:
        yield from _attempt(attempt)


def _attempt(attempt: Attempt) -> Iterator[str]:
    outcome = attempt.outcome.value if attempt.outcome else "not ended"
    yield f"\ntried {attempt.solution}: {outcome}"
    undone = [step for step in attempt.steps if step.kind is StepKind.ROLLBACK]
    for step in attempt.steps:
        if step not in undone:
            yield _step(step)
    for validation in attempt.validations or ():
        yield f"  validation {validation.name}: {validation.detail}"
    for step in undone:
        yield _step(step)


def _step(step: StepRun) -> str:
    return f"  {step.kind.value} {step.name}: {step.state.value} {step.message}".rstrip()
