"""Maintenance windows: those that come again, of the configuration, and those of this once."""

from __future__ import annotations

from selfheal.config import Rails
from selfheal.model import Refusal, Refused, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.calendar import is_open, open_until
from selfheal.rails.labels import fits, has_begun, labels_of
from selfheal.rails.request import RailRequest


def maintenance(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Wait until the last of the windows that are open now is closed."""
    found = _open_windows(request, record, config)
    if not found:
        return None
    detail = f"maintenance: {', '.join(dict.fromkeys(name for name, _ in found))}"
    return Refused(Refusal.MAINTENANCE, detail, Verdict.WAIT, max(until for _, until in found))


def _open_windows(
    request: RailRequest, record: RailRecord, config: Rails
) -> list[tuple[str, float]]:
    labels, now = labels_of(request), request.now
    recurring = [
        (window.name, open_until(window.time_intervals, now))
        for window in config.maintenance
        if fits(window.match, labels) and is_open(window.time_intervals, now)
    ]
    once = [
        (f"{window.reason} ({window.who})", window.ends_at)
        for window in record.maintenances(now)
        if has_begun(window, now) and fits(window.matchers, labels)
    ]
    return recurring + once
