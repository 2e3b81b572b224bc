"""Cooldown: the same solution is not tried on the same target again at once."""

from __future__ import annotations

from selfheal.config import Rails
from selfheal.model import Key, Refusal, Refused, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.request import RailRequest


def cooldown(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Wait until the last attempt of the solution on the target is long enough ago."""
    if config.cooldown is None:
        return None
    key = Key(target=request.host, solution=request.solution)
    last = record.last_end(key, request.now, besides=request.healing_id)
    if last is None or request.now - last >= config.cooldown:
        return None
    detail = f"{request.solution} was tried on {request.host} {request.now - last:.0f} s ago"
    return Refused(Refusal.COOLDOWN, detail, Verdict.WAIT, last + config.cooldown)
