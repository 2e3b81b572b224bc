from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.duration import format_duration, parse_duration
from selfheal.errors import DurationError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("1h30m", 5400),
        ("7d", 604800),
        ("5 minutes", 300),
        ("1 second", 1),
        ("250 milliseconds", 0.25),
        (3, 3),
        (0.5, 0.5),
    ],
)
def test_the_documented_forms_are_understood(text: str | float, seconds: float) -> None:
    """Each documented form of a duration gives its seconds."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "5 weeks", "-3s", "3 s 4", "1e3s", -1, True, "٣s", 1e300]
)
def test_anything_else_is_refused(text: str | float) -> None:
    """What is no duration raises DurationError, never another error and never a guess."""
    with pytest.raises(DurationError):
        parse_duration(text)


@given(st.text(max_size=20))
def test_no_text_breaks_the_parser(text: str) -> None:
    """For any text the parser answers with seconds of zero or more, or with DurationError."""
    with contextlib.suppress(DurationError):
        assert parse_duration(text) >= 0


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "m", "h", "d"]))
def test_parts_add_up(number: int, unit: str) -> None:
    """Two parts written together mean their sum."""
    one = parse_duration(f"{number}{unit}")
    assert parse_duration(f"{number}{unit}1s") == pytest.approx(one + 1)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.4s"), (12.3, "12s"), (185, "3m 5s"), (7800, "2h 10m"), (540000, "6d 6h")],
)
def test_durations_are_printed_short(seconds: float, text: str) -> None:
    """A duration is printed in at most two units."""
    assert format_duration(seconds) == text
