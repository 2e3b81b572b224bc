"""What may become an event, and what may not."""

import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.errors import EventError
from selfheal.sources import EventLimits, clean_event, parse_json

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


@given(JSON_VALUES)
def test_json_round_trip(value: Any) -> None:
    """Every JSON value of reasonable size is taken as it is, an empty key included."""
    assert parse_json(json.dumps(value).encode()) == value


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs", "Cc"])), JSON_VALUES))
def test_clean_event_is_an_equal_copy(event: dict[str, Any]) -> None:
    """An event of plain JSON comes out equal, and nothing of it is shared."""
    event.pop("meta", None)
    cleaned = clean_event({**event, "list": [{}]})
    assert cleaned == {**event, "list": [{}]}
    cleaned["list"][0]["changed"] = True
    assert clean_event({**event, "list": [{}]})["list"] == [{}]


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Whatever bytes come in, the answer is a value that can be written as JSON, or EventError."""
    try:
        value = parse_json(data)
    except EventError:
        return
    json.dumps(value, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'"' + b"x" * 10_000_001 + b'"', "larger than 10000000 bytes"),
        (json.dumps(nested(100)).encode(), "nested deeper than 64"),
        (b"[" * 200_000 + b"]" * 200_000, "nested deeper than 64"),
        (b'{"a": "\xff\xfe"}', "not UTF-8: byte 7 is 0xff"),
        (b'{"a": NaN}', "holds NaN"),
        (b'{"a": -Infinity}', "holds -Infinity"),
        (b'{"a": {"b": 1e999}}', r"holds inf, which JSON doesn't have \(at a\.b\)"),
        (b'{"a": "\\ud800"}', r"half a surrogate pair.*\(at a\)"),
        (b'{"\\ud800": 1}', "half a surrogate pair"),
        (b'{"a": ' + b"9" * 1000 + b"}", "more than 300 digits"),
        (b'{"a": ' + b"9" * 9000 + b"}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b"", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
    ],
)
def test_hostile_bodies(data: bytes, message: str) -> None:
    """Each hostile body is refused with one clear message."""
    with pytest.raises(EventError, match=message):
        parse_json(data)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ([1], "must be a JSON object, not list"),
        ("text", "must be a JSON object, not str"),
        (None, "must be a JSON object, not NoneType"),
        ({"meta": "text"}, "meta must be a JSON object"),
        ({"a": {"b": float("nan")}}, r"holds nan.*\(at a\.b\)"),
        ({"a": b"bytes"}, "holds a bytes"),
        ({"a": {1, 2}}, "holds a set"),
        ({(1, 2): 1}, "key of type tuple"),
        ({"a": "x" * 10_000_001}, "larger than"),
        ({"a": [[]] * 500_001}, "more than 500000 keys and values"),
    ],
)
def test_hostile_events(event: Any, message: str) -> None:
    """A plugin may put anything at all; what is no event is refused."""
    with pytest.raises(EventError, match=message):
        clean_event(event)


def test_an_event_that_contains_itself_is_refused() -> None:
    """A reference cycle ends at the depth limit."""
    event: dict[str, Any] = {}
    event["self"] = event
    with pytest.raises(EventError, match="nested deeper"):
        clean_event(event)


def test_what_yaml_brings_is_made_json() -> None:
    """Dates, tuples and keys that are no strings become what JSON writes for them."""
    event = {2: (datetime.date(2026, 1, 2), None), True: 1.5, None: {}}
    assert clean_event(event) == {"2": ["2026-01-02", None], "true": 1.5, "null": {}}


def test_limits_can_be_set() -> None:
    """Size and depth are the operator's choice."""
    limits = EventLimits(max_bytes=50, max_depth=2)
    assert clean_event({"a": {"b": 1}}, limits)
    with pytest.raises(EventError, match="nested deeper than 2"):
        clean_event({"a": {"b": {}}}, limits)
    with pytest.raises(EventError, match="larger than 50 bytes"):
        clean_event({"a": "ä" * 25}, limits)
