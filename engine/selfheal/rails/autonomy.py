"""Autonomy: what a rule may do by itself; taken back on failures, given by humans only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from selfheal.config import Rails
from selfheal.model import (
    Autonomy,
    AutonomyChange,
    Ended,
    Refusal,
    Refused,
    Verdict,
    new_id,
)
from selfheal.ports import RailRecord
from selfheal.rails.request import RailRequest

# The newest that are looked at for a proposal: a rule is judged by what it does nowadays.
_NEWEST = 200


@dataclass(frozen=True, slots=True)
class Proposal:
    """The evidence is good enough for a human to give a rule more autonomy."""

    ruleset: str
    """The ruleset."""
    rule: str
    """The rule."""
    level: Autonomy
    """What is proposed."""
    healings: int
    """How many were looked at."""
    healed: int
    """How many of them healed."""
    text: str
    """One sentence."""


def autonomy(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Stop when the rule may only observe, or suggest."""
    level = level_of(request, record, config)
    if level is Autonomy.OBSERVE:
        return Refused(Refusal.OBSERVE_ONLY, "the rule may only observe", Verdict.STOP)
    if level is Autonomy.SUGGEST:
        detail = f"the rule may only suggest: run {request.solution} on {request.target}"
        return Refused(Refusal.SUGGEST_ONLY, detail, Verdict.STOP)
    return None


def needs_approval(request: RailRequest, record: RailRecord, config: Rails) -> str:
    """Return why a human must say yes because of the rule's autonomy; empty: not because of it."""
    if level_of(request, record, config) is not Autonomy.APPROVE:
        return ""
    fault = request.fault
    change = record.autonomy(fault.ruleset, fault.rule) if fault else None
    why = f" ({change.reason})" if change and change.level is Autonomy.APPROVE else ""
    return f"the rule's autonomy is approve{why}"


def level_of(request: RailRequest, record: RailRecord, config: Rails) -> Autonomy:
    """Return what the rule may do; an operator by hand may do everything."""
    fault = request.fault
    if fault is None:
        return Autonomy.AUTO
    written = request.autonomy or config.autonomy.default
    return current_level(record.autonomy(fault.ruleset, fault.rule), written)


def current_level(change: AutonomyChange | None, written: Autonomy) -> Autonomy:
    """A change holds until an engine has taken up another word (see `rewritten`).

    As long as the rulebook it was made against is not the one that is asked about, which happens
    between an edit and its reload, the stricter of the two holds."""
    if change is None:
        return written
    if change.written is written:
        return change.level
    return min(change.level, written, key=lambda one: one.level)


def rewritten(
    ruleset: str, rule: str, written: Autonomy | None, record: RailRecord, config: Rails, now: float
) -> AutonomyChange | None:
    """Return the change, to be recorded, that an edit of the rulebook or the default makes.

    To be asked when an engine takes up rulebooks: the later word counts, and what held before
    does not come back when the earlier word does."""
    written = written or config.autonomy.default
    change = record.autonomy(ruleset, rule)
    if change is None or change.written is written:
        return None
    return AutonomyChange(
        id=new_id("au"),
        ruleset=ruleset,
        rule=rule,
        level=written,
        written=written,
        reason=f"the rulebook says {written.value} now; it said {change.written.value}",
        who="",
        at=now,
    )


def demotion(
    ruleset: str, rule: str, written: Autonomy | None, record: RailRecord, config: Rails, now: float
) -> AutonomyChange | None:
    """Return the loss of one level that the rule's failures call for, to be recorded and told.

    To be asked whenever a healing of the rule has ended, and at a start. Only what began since
    the last change counts, so one failure never costs two levels: not even when a clock that was
    set back leaves that change still to come."""
    settings, written = config.autonomy.demote, written or config.autonomy.default
    change = record.autonomy(ruleset, rule)
    level = current_level(change, written)
    if settings is None or level.level <= Autonomy.SUGGEST.level:
        return None
    since, paid = now - settings.within, frozenset[str]()
    if change is not None and change.at <= now:
        since = max(since, change.at)
    elif change is not None:
        paid = frozenset(change.evidence.get("failed", ()))
    ends = record.rule_ends(ruleset, rule, since, _NEWEST, now)
    bad = [ident for _, ended, ident in ends if ended is Ended.BADLY and ident not in paid]
    if len(bad) < settings.failures:
        return None
    lower = list(Autonomy)[level.level - 1]
    reason = f"{len(bad)} of its last {len(ends)} healings failed: {level.value} to {lower.value}"
    return AutonomyChange(
        id=new_id("au"),
        ruleset=ruleset,
        rule=rule,
        level=lower,
        written=written,
        reason=reason,
        who="",
        at=now,
        evidence={"failed": bad, "healings": len(ends)},
    )


def promotion(
    ruleset: str, rule: str, written: Autonomy | None, record: RailRecord, config: Rails
) -> Proposal | None:
    """Return what the evidence allows to propose, as long as it does."""
    ends = _approved(ruleset, rule, written, record, config)
    return _proposal(ruleset, rule, ends, config)


def new_promotion(
    ruleset: str, rule: str, written: Autonomy | None, record: RailRecord, config: Rails
) -> Proposal | None:
    """The same, only when the newest healing made the difference: a human is told once."""
    ends = _approved(ruleset, rule, written, record, config)
    if _proposal(ruleset, rule, ends[1:], config) is not None:
        return None
    return _proposal(ruleset, rule, ends, config)


def _approved(
    ruleset: str, rule: str, written: Autonomy | None, record: RailRecord, config: Rails
) -> list[Ended]:
    """How the healings of a rule that needs approval ended, newest first."""
    change = record.autonomy(ruleset, rule)
    if current_level(change, written or config.autonomy.default) is not Autonomy.APPROVE:
        return []
    since = change.at if change else -math.inf
    return [ended for _, ended, _ in record.rule_ends(ruleset, rule, since, _NEWEST)]


def _proposal(ruleset: str, rule: str, ends: list[Ended], config: Rails) -> Proposal | None:
    settings = config.autonomy.propose
    if settings is None or len(ends) < settings.healings:
        return None
    healed = sum(ended is Ended.WELL for ended in ends)
    bound = wilson_lower_bound(healed, len(ends))
    if bound < settings.lower_bound:
        return None
    text = (
        f"{healed} of {len(ends)} approved healings of {rule} healed (surely more than "
        f"{bound:.0%}): it could be given auto"
    )
    return Proposal(ruleset, rule, Autonomy.AUTO, len(ends), healed, text)


def wilson_lower_bound(good: int, number: int, z: float = 1.96) -> float:
    """Return the share that `good` of `number` proves, with 95 % confidence by default."""
    if number == 0:
        return 0.0
    share, spread = good / number, z * z / number
    middle = share + spread / 2
    width = z * math.sqrt(share * (1 - share) / number + spread / (4 * number))
    return max(0.0, (middle - width) / (1 + spread))
