"""Targets: a selector that matches nothing, or far more than anybody meant."""

from __future__ import annotations

from selfheal.config import Rails
from selfheal.model import Refusal, Refused, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.request import RailRequest


def targets(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Skip the solution: another may have a sound selector."""
    if request.hosts is None:
        return None
    number, whole, settings = len(set(request.hosts)), len(request.inventory), config.targets
    if number == 0:
        return Refused(Refusal.EMPTY_TARGET, "no host of the inventory is meant", Verdict.SKIP)
    share = settings.max_share if whole >= settings.min_inventory else None
    if share is not None and share.exceeded_by(number, whole):
        return _too_many(f"{number} of {whole} hosts; at most {share} of the inventory")
    if settings.max is not None and number > settings.max:
        return _too_many(f"{number} hosts; at most {settings.max}")
    return None


def _too_many(detail: str) -> Refused:
    return Refused(Refusal.TOO_MANY_TARGETS, f"it would touch {detail}", Verdict.SKIP)
