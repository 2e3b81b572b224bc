"""Windows that come again, in every time zone, on the days on which clocks are changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.config.time_intervals import TimeInterval
from selfheal.model import Refusal
from selfheal.rails.calendar import is_open, last_end, open_until

from .conftest import Build

MINUTE = 60.0


def interval(times: str = "", **keys: Any) -> TimeInterval:
    """`02:00-03:00,22:00-24:00` and the other keys, as if they were written."""
    spans = [one.split("-") for one in times.split(",") if one]
    ranges = [{"start_time": start, "end_time": end} for start, end in spans]
    return TimeInterval.model_validate({"times": ranges, **keys})


def utc(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def opened(one: TimeInterval, first: str, last: str) -> list[str]:
    """When it opens and closes between two times of UTC, found minute by minute."""
    at, end = utc(first), utc(last)
    found, before = [], is_open([one], at - MINUTE)
    while at <= end:
        if is_open([one], at) is not before:
            before = not before
            zone = datetime.fromtimestamp(at, ZoneInfo("UTC"))
            found.append(f"{'+' if before else '-'}{zone:%d %H:%M}")
        at += MINUTE
    return found


# Berlin: 29 March 2026 02:00 -> 03:00 (01:00 UTC), 25 October 03:00 -> 02:00 (01:00 UTC).
# New York: 8 March 02:00 -> 03:00 (07:00 UTC), 1 November 02:00 -> 01:00 (06:00 UTC).
# Lord Howe: half an hour; 4 October 02:00 -> 02:30 (15:30 UTC of the 3rd),
#            5 April 02:00 -> 01:30 (15:00 UTC of the 4th).
DST = [
    ("Europe/Berlin", "02:00-03:00", "2026-03-29 00:00", "2026-03-29 03:00", []),
    (
        "Europe/Berlin",
        "01:30-02:30",
        "2026-03-29 00:00",
        "2026-03-29 03:00",
        ["+29 00:30", "-29 01:00"],
    ),
    (
        "Europe/Berlin",
        "02:30-03:30",
        "2026-03-29 00:00",
        "2026-03-29 03:00",
        ["+29 01:00", "-29 01:30"],
    ),
    (
        "Europe/Berlin",
        "02:15-02:45",
        "2026-10-25 00:00",
        "2026-10-25 03:00",
        ["+25 00:15", "-25 00:45", "+25 01:15", "-25 01:45"],
    ),
    (
        "Europe/Berlin",
        "01:00-04:00",
        "2026-10-24 22:30",
        "2026-10-25 04:00",
        ["+24 23:00", "-25 03:00"],
    ),
    ("America/New_York", "02:00-03:00", "2026-03-08 05:00", "2026-03-08 09:00", []),
    (
        "America/New_York",
        "01:00-02:00",
        "2026-11-01 04:00",
        "2026-11-01 08:00",
        ["+01 05:00", "-01 07:00"],
    ),
    (
        "America/New_York",
        "00:30-01:30",
        "2026-11-01 04:00",
        "2026-11-01 08:00",
        ["+01 04:30", "-01 05:30", "+01 06:00", "-01 06:30"],
    ),
    (
        "Australia/Lord_Howe",
        "02:00-03:00",
        "2026-10-03 14:00",
        "2026-10-03 18:00",
        ["+03 15:30", "-03 16:00"],
    ),
    (
        "Australia/Lord_Howe",
        "01:30-02:00",
        "2026-04-04 13:00",
        "2026-04-04 18:00",
        ["+04 14:30", "-04 15:30"],
    ),
    (
        "Australia/Lord_Howe",
        "01:45-02:15",
        "2026-04-04 13:00",
        "2026-04-04 18:00",
        ["+04 14:45", "-04 15:00", "+04 15:15", "-04 15:45"],
    ),
]


@pytest.mark.parametrize(("zone", "times", "first", "last", "expected"), DST)
def test_the_days_on_which_clocks_change(
    zone: str, times: str, first: str, last: str, expected: list[str]
) -> None:
    """A time that is skipped opens nothing, one that comes twice is open twice, no minute more."""
    assert opened(interval(times, location=zone), first, last) == expected


@pytest.mark.parametrize(
    ("keys", "yes", "no"),
    [
        ({"weekdays": ["monday:friday"]}, ["2026-11-23", "2026-11-27"], ["2026-11-22"]),
        ({"weekdays": ["Sunday", "saturday"]}, ["2026-11-22", "2026-11-28"], ["2026-11-23"]),
        ({"days_of_month": [1, "10:12"]}, ["2026-11-01", "2026-11-12"], ["2026-11-13"]),
        ({"days_of_month": ["-1"]}, ["2026-02-28", "2028-02-29"], ["2028-02-28"]),
        ({"days_of_month": ["-3:-1"]}, ["2026-04-28"], ["2026-04-27", "2026-04-01"]),
        ({"days_of_month": ["28:-1"]}, ["2026-02-28", "2026-01-31"], ["2026-01-27"]),
        ({"months": ["may:july", 12]}, ["2026-06-15", "2026-12-01"], ["2026-08-01"]),
        ({"years": ["2026:2027", 2030]}, ["2027-12-31", "2030-01-01"], ["2028-01-01"]),
        ({"months": ["december"], "weekdays": ["friday"]}, ["2026-12-04"], ["2026-12-03"]),
        ({}, ["2026-01-01"], []),
    ],
)
def test_days(keys: dict[str, Any], yes: list[str], no: list[str]) -> None:
    """Every key that is written must hold; the last days of a month are counted from its end."""
    one = interval(**keys)
    assert [is_open([one], utc(f"{day} 12:00")) for day in yes] == [True] * len(yes)
    assert [is_open([one], utc(f"{day} 12:00")) for day in no] == [False] * len(no)


def test_over_midnight_by_two_ranges() -> None:
    """The end of one day and the beginning of the next are one window without a gap."""
    night = interval("22:00-24:00,00:00-02:00")
    assert open_until([night], utc("2026-11-23 23:00")) == utc("2026-11-24 02:00")


def test_always_open_is_asked_again_some_day() -> None:
    """A window without an end has a time to look again, not an endless search."""
    at = utc("2026-11-23 00:00")
    assert at + 30 * 86400 < open_until([interval()], at) < at + 60 * 86400


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo",
     "Asia/Kathmandu", "Pacific/Apia"]
)  # fmt: skip


@st.composite
def intervals(draw: st.DrawFn) -> TimeInterval:
    start = draw(st.integers(0, 1438))
    end = draw(st.integers(start + 1, 1440))
    keys: dict[str, Any] = {"times": [{"start_time": start, "end_time": end}]}
    if draw(st.booleans()):
        keys["weekdays"] = [draw(st.sampled_from(["sunday", "monday:wednesday", "saturday"]))]
    return TimeInterval.model_validate({**keys, "location": draw(ZONES)})


# Around each change of clocks of 2026 in these zones, and one ordinary week.
MOMENTS = ["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31",
           "2026-06-10"]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(intervals(), min_size=1, max_size=2), st.sampled_from(MOMENTS), st.integers(0, 2880)
)
def test_ends_are_where_a_minute_by_minute_search_finds_them(
    found: list[TimeInterval], day: str, minute: int
) -> None:
    """The end to come and the end that was, against looking at every minute."""
    at = utc(f"{day} 00:00") + minute * MINUTE
    ahead = (at + n * MINUTE for n in range(1, 4 * 1440))
    closed = next((one for one in ahead if not is_open(found, one)), None)
    if is_open(found, at) and closed is not None:
        assert open_until(found, at) == closed
    back = [at - n * MINUTE for n in range(1440)]
    ended = next(
        (one for one in back if not is_open(found, one) and is_open(found, one - MINUTE)), None
    )
    assert last_end(found, at, at - 1440 * MINUTE) == ended


def test_a_window_of_the_configuration_holds_and_ramps(build: Build) -> None:
    """It waits until the window's end, and what begins after that begins slowly."""
    world = build(
        maintenance=[
            {
                "name": "backup",
                "match": ['component="backend"'],
                "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "24:00"}],
                                    "weekdays": ["tuesday"], "location": "Europe/Berlin"}],
            }
        ],
        ramp_up={"max": 1, "every": "30s", "during": "10m"},
    )  # fmt: skip
    tuesday = datetime(2023, 11, 14, 23, 15, tzinfo=ZoneInfo("Europe/Berlin"))
    world.pass_(tuesday.timestamp() - world.now)
    midnight = (tuesday + timedelta(minutes=45)).timestamp()
    healing, other = world.healing(), world.healing("db1", world.fault("db1", component="db"))
    refused = world.ask(healing)
    assert refused
    assert (refused.reason, refused.until) == (Refusal.MAINTENANCE, midnight)
    assert "backup" in refused.detail
    assert world.ask(other) is None
    world.pass_(midnight - world.now)
    assert world.ask(healing) is None
    world.run("web7")
    refused = world.ask(healing)
    assert refused
    assert refused.reason is Refusal.RAMP_UP
    assert world.ask(other) is None
