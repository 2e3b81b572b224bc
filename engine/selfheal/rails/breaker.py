"""Circuit breaker: a solution that keeps failing rests, and is then tried one at a time.

Its state is not stored: it follows from how attempts ended, so no restart can lose it.
"""

from __future__ import annotations

from selfheal.config import Rails
from selfheal.duration import format_duration
from selfheal.model import Key, Refusal, Refused, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.request import RailRequest


def breaker(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Skip the solution while it rests, and while another healing probes it.

    Open: `failures` bad ends lay within the time, with no good one since. Half open: the last
    bad end is `rest` ago. A good end closes it, a bad one opens it anew."""
    settings = config.breaker
    if settings is None:
        return None
    found = record.failures(request.solution, settings.failures, settings.within, request.now)
    if not found.tripped or found.last is None:
        return None
    rested = request.now - found.last
    if rested < settings.rest:
        left = format_duration(settings.rest - rested)
        return _open(f"{request.solution} failed {found.number} times and rests for {left} more")
    probes = Key(solution=request.solution)
    if record.healings_running(probes, besides=request.healing_id, at_work=True):
        return _open(f"{request.solution} failed {found.number} times and is being probed")
    return None


def _open(detail: str) -> Refused:
    return Refused(Refusal.BREAKER_OPEN, detail, Verdict.SKIP)
