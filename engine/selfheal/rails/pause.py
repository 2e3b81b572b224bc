"""Pause: an operator holds everything, one rule or one solution. What runs ends in peace."""

from __future__ import annotations

from selfheal.config import Rails
from selfheal.model import Pause, Refusal, Refused, Scope, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.request import RailRequest


def pause(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Wait until it is lifted, or ends by itself."""
    for one in record.pauses(request.now):
        if _holds(one, request):
            what = one.scope.value if one.scope is Scope.GLOBAL else f"{one.scope.value} {one.name}"
            return Refused(
                Refusal.PAUSED,
                f"paused ({what}) by {one.who}: {one.reason}",
                Verdict.WAIT,
                one.until,
                everybody=one.scope is Scope.GLOBAL,
            )
    return None


def _holds(one: Pause, request: RailRequest) -> bool:
    match one.scope:
        case Scope.GLOBAL:
            return True
        case Scope.RULE:
            return request.fault is not None and request.fault.rule == one.name
        case Scope.SOLUTION:
            return request.solution == one.name
