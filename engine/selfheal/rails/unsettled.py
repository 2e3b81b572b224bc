"""Unsettled: where something could not be undone nothing more is done until a human has looked."""

from __future__ import annotations

from selfheal.config import Rails
from selfheal.model import Refusal, Refused, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.request import RailRequest


def unsettled(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Stop on a target where a rollback failed, while that incident is open to a human."""
    incident = record.unsettled(request.host, besides=request.healing_id)
    if not incident:
        return None
    detail = f"a rollback failed here; see to {incident}, then: selfheal incidents close {incident}"
    return Refused(Refusal.UNSETTLED, detail, Verdict.STOP)
