"""Ramp up: when a window, a silence or a storm is over, what waited is let through slowly."""

from __future__ import annotations

from collections.abc import Iterator

from selfheal.config import Rails
from selfheal.duration import format_duration
from selfheal.model import Maintenance, Refusal, Refused, Silence, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.calendar import last_end
from selfheal.rails.labels import fits, labels_of
from selfheal.rails.request import RailRequest


def ramp_up(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Wait for a free place: at most `max` attempts begin in `every`, whatever they are for."""
    settings = config.ramp_up
    if settings is None:
        return None
    ended = max(_ends(request, record, config, request.now - settings.during), default=None)
    if ended is None:
        return None
    begun = record.attempts_begun(request.now - settings.every, request.now)
    if len(begun) < settings.max:
        return None
    ago = format_duration(request.now - ended)
    detail = f"{len(begun)} attempts began just now; what held them ended {ago} ago"
    return Refused(Refusal.RAMP_UP, detail, Verdict.WAIT, begun[-settings.max] + settings.every)


def _ends(request: RailRequest, record: RailRecord, config: Rails, since: float) -> Iterator[float]:
    """When what held a healing such as this one ended, after `since`."""
    labels, now = labels_of(request), request.now
    for window in config.maintenance:
        if fits(window.match, labels):
            ended = last_end(window.time_intervals, now, since)
            if ended is not None:
                yield ended
    guards: list[Maintenance | Silence] = [*record.maintenances(since), *record.silences(since)]
    for guard in guards:
        # One that was ended before it began never held anything.
        if guard.starts_at < guard.ends_at <= now and fits(guard.matchers, labels):
            yield guard.ends_at
    for storm in record.storms(since):
        if storm.ended_at is not None and storm.ended_at <= now:
            yield storm.ended_at
