"""Settle: what a target says just after the engine acted on it may be the echo of that."""

from __future__ import annotations

from selfheal.config import Rails
from selfheal.model import Key, Refusal, Refused, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.request import RailRequest


def settle(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Wait before the first attempt until the target has settled; an echo is gone by then."""
    if config.settle is None or record.has_begun(request.healing_id):
        return None
    last = record.last_end(Key(target=request.host), request.now, besides=request.healing_id)
    if last is None or request.now - last >= config.settle:
        return None
    detail = f"the engine acted on {request.host} {request.now - last:.0f} s ago"
    return Refused(Refusal.SETTLING, detail, Verdict.WAIT, last + config.settle)
