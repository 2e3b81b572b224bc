"""A decision goes on record, and its story with it."""

from __future__ import annotations

from selfheal.model import Decision, Kind
from selfheal.ports import Record


def tell_decision(record: Record, decision: Decision, healing_id: str = "") -> None:
    """Record the decision and tell it in one go."""
    refused = decision.refused.value if decision.refused else ""
    chosen = f"{decision.strategy.value}: run {decision.solution}"
    chosen += ", if a human agrees" if decision.requires_approval else ""
    with record.transaction(durable=False):
        record.add_decision(decision)
        record.tell(
            Kind.DECISION,
            f"refused: {refused}" if refused else chosen,
            incident_id=decision.incident_id,
            healing_id=healing_id,
            data={
                "decision_id": decision.id,
                "solution": decision.solution,
                "confidence": decision.confidence,
                "risk": decision.risk.value,
                "refused": refused,
                "reasoning": list(decision.reasoning),
            },
        )
