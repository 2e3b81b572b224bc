"""Flapping: a fault that comes back again and again is not healed by what it is healed with."""

from __future__ import annotations

from selfheal.config import Rails
from selfheal.duration import format_duration
from selfheal.model import Refusal, Refused, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.request import RailRequest


def flapping(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Stop, and let a human look for what is behind it."""
    settings, fault = config.flapping, request.fault
    if settings is None or fault is None:
        return None
    openings = record.fault_openings(fault.fingerprint, settings.openings)
    ago = [request.now - at for at in openings]
    # A clock that was set back leaves openings that are still to come: they do not count.
    if len(openings) < settings.openings or not all(0 <= one <= settings.within for one in ago):
        return None
    detail = f"opened {len(openings)} times in {format_duration(max(ago))}"
    return Refused(Refusal.FLAPPING, detail, Verdict.STOP)
