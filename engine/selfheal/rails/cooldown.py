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
    last = record.last_end(key, besides=request.healing_id)
    if last is None or not is_recent(last, request.now, config.cooldown):
        return None
    detail = f"{request.solution} was tried on {request.host} {request.now - last:.0f} s ago"
    return Refused(Refusal.COOLDOWN, detail, Verdict.WAIT, last + config.cooldown)


def is_recent(at: float, now: float, span: float) -> bool:
    """Whether `at` is less than `span` ago. Far in the future it tells of a clock that was set
    back, and nothing of how long ago it was: nobody waits hours for that."""
    return -span < now - at < span
