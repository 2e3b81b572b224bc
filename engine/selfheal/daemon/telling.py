"""What goes on record together with its story: decisions, and what an engine runs on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from selfheal.model import Autonomy, Decision, Kind, Rule, Ruleset
from selfheal.ports import Record

_IN_FORCE = "autonomy"


def tell_in_force(
    record: Record,
    text: str,
    rulesets: Iterable[Ruleset],
    default: Autonomy,
    data: Mapping[str, Any],
) -> None:
    """Tell that the engine runs on these rulesets from now on, with the autonomy that is written
    on each rule that heals: the files may be edited at any time."""
    written = [
        [ruleset.name, rule.name, (rule.autonomy or default).value]
        for ruleset in rulesets
        for rule in ruleset.rules
        if heals(rule)
    ]
    record.tell(Kind.ENGINE, text, data={**data, _IN_FORCE: written})


def written_in_force(record: Record) -> dict[tuple[str, str], Autonomy] | None:
    """Return (ruleset, rule) to what was written on it when an engine last took up rulebooks;
    None when that is not on record, or no longer."""
    entry = record.last_entry(Kind.ENGINE, with_data=_IN_FORCE)
    if entry is None:
        return None
    return {(ruleset, rule): Autonomy(level) for ruleset, rule, level in entry.data[_IN_FORCE]}


def heals(rule: Rule) -> bool:
    """Whether autonomy means anything to the rule."""
    return any(action.name == "heal" for action in rule.actions)


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
