"""When the windows of a calendar open and close, in every time zone.

Whether a window is open is asked of the local time that an instant has, never the other way: a
local time that the clocks skip opens nothing, one that comes twice is open both times.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from selfheal.config.time_intervals import Span, TimeInterval

_DAY = 86400.0
# A window open for longer is asked about again then.
_FURTHEST_DAYS = 40


def is_open(intervals: Iterable[TimeInterval], at: float) -> bool:
    """Whether one of them is open at that Unix time."""
    return any(_holds(one, datetime.fromtimestamp(at, one.location)) for one in intervals)


def open_until(intervals: Sequence[TimeInterval], at: float) -> float:
    """Return the first Unix time after `at` at which none is open, or one some weeks ahead."""
    for day in range(_FURTHEST_DAYS):
        start = at + day * _DAY
        for instant in _turning_points(intervals, start, start + _DAY):
            if not is_open(intervals, instant):
                return instant
    return at + _FURTHEST_DAYS * _DAY


def last_end(intervals: Sequence[TimeInterval], at: float, since: float) -> float | None:
    """Return when the last of them closed, after `since` and not after `at`; None: not then."""
    points = [since, *_turning_points(intervals, since, at)]
    states = [is_open(intervals, point) for point in points]
    ends = [
        point
        for point, before, after in zip(points[1:], states, states[1:], strict=False)
        if before and not after
    ]
    return ends[-1] if ends else None


def _holds(interval: TimeInterval, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    last_day = monthrange(local.year, local.month)[1]
    return (
        _within([(one.start_time, one.end_time - 1) for one in interval.times], minute)
        and _within(interval.weekdays, local.isoweekday() % 7)
        and _within([_counted(span, last_day) for span in interval.days_of_month], local.day)
        and _within(interval.months, local.month)
        and _within(interval.years, local.year)
    )


def _within(spans: Sequence[Span], value: int) -> bool:
    return not spans or any(first <= value <= last for first, last in spans)


def _counted(span: Span, last_day: int) -> Span:
    """Days counted from the end, as days counted from the beginning."""
    first, last = (day if day > 0 else last_day + 1 + day for day in span)
    return first, last


def _turning_points(intervals: Iterable[TimeInterval], start: float, end: float) -> list[float]:
    """Every instant after `start`, up to `end`, at which one of them may open or close."""
    points: set[float] = set()
    for interval in intervals:
        minutes = {0} | {m for one in interval.times for m in (one.start_time, one.end_time)}
        for day in _local_days(start, end, interval.location):
            points |= _instants(day, minutes, interval.location)
            points |= _clock_change(day, interval.location)
    return sorted(point for point in points if start < point <= end)


def _local_days(start: float, end: float, zone: tzinfo) -> Iterator[date]:
    day = datetime.fromtimestamp(start, zone).date()
    last = datetime.fromtimestamp(end, zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)


def _instants(day: date, minutes: Iterable[int], zone: tzinfo) -> set[float]:
    midnight = datetime.combine(day, time())
    local = [midnight + timedelta(minutes=minute) for minute in minutes]
    return {
        moment.replace(tzinfo=zone, fold=fold).timestamp() for moment in local for fold in (0, 1)
    }


def _clock_change(day: date, zone: tzinfo) -> set[float]:
    """The instant of that day at which the clocks are changed, to the second."""
    midnight = datetime.combine(day, time(), tzinfo=zone)
    early = int(midnight.timestamp()) - 3 * 3600
    late = int((midnight + timedelta(days=1)).timestamp()) + 3 * 3600
    if _offset(early, zone) == _offset(late, zone):
        return set()
    while late - early > 1:
        middle = (early + late) // 2
        if _offset(middle, zone) == _offset(early, zone):
            early = middle
        else:
            late = middle
    return {float(late)}


def _offset(at: float, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()
