"""What goes into the record comes out equal."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.errors import StoreError
from selfheal.model import (
    Attempt,
    Decision,
    Entry,
    Event,
    Fault,
    Healing,
    Incident,
    PlaybookResult,
    Solution,
    StepRun,
    TaskResult,
    ValidationResult,
)
from selfheal.store.codec import from_row, from_text, to_row, to_text

NOUNS = [
    Attempt,
    Decision,
    Entry,
    Event,
    Fault,
    Healing,
    Incident,
    PlaybookResult,
    Solution,
    StepRun,
    TaskResult,
    ValidationResult,
]
floats = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def any_noun(kind: Any) -> st.SearchStrategy[Any]:
    """Nouns with every field drawn, optional ones too, and JSON where the type is Any."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: _of(hints[field.name]) for field in fields(kind)})


def _of(annotation: Any) -> st.SearchStrategy[Any]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return json_values
    if origin is UnionType:
        return st.one_of([_of(part) for part in parts])
    if origin is tuple:
        return st.lists(_of(parts[0]), max_size=2).map(tuple)
    if origin is Mapping:
        return st.dictionaries(st.text(), _of(parts[1]), max_size=2)
    if is_dataclass(annotation) and isinstance(annotation, type):
        return any_noun(annotation)
    return floats if annotation is float else st.from_type(annotation)


@pytest.mark.parametrize("kind", NOUNS, ids=lambda kind: kind.__name__)
def test_every_noun_comes_back_equal(kind: type) -> None:
    """Text and row are two ways to keep a noun, and both give back the same noun."""

    @settings(max_examples=40, deadline=None)
    @given(any_noun(kind))
    def check(noun: Any) -> None:
        assert from_text(kind, to_text(noun)) == noun
        assert from_row(kind, to_row(noun)) == noun

    check()


@pytest.mark.parametrize(
    ("number", "text"), [(math.nan, "NaN"), (math.inf, "Infinity"), (-math.inf, "-Infinity")]
)
def test_what_json_has_no_number_for_becomes_text(number: float, text: str) -> None:
    """No file of ours holds the non-standard JSON that other programs choke on."""
    assert json.loads(to_text({"value": number})) == {"value": text}


def test_dates_from_yaml_become_text() -> None:
    """YAML gives dates where an operator wrote one in vars; the record keeps them readable."""
    value = {"on": date(2026, 1, 2), "at": datetime(2026, 1, 2, 3, tzinfo=UTC)}
    assert from_text(Any, to_text(value)) == {"on": "2026-01-02", "at": "2026-01-02T03:00:00+00:00"}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 10**5000], ids=type)
def test_what_is_not_data_is_refused(value: object) -> None:
    """Only data is kept, never an object that would need code to come back."""
    with pytest.raises(StoreError):
        to_text({"value": value})


def test_too_deep_is_refused_not_a_crash() -> None:
    """A value nested beyond Python's stack gives an error with a name."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(StoreError):
        to_text(deep)


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Colour, '"blue"'),
        (Incident, '{"id": "in-1"}'),
        (Incident, "[]"),
        (tuple[int, ...], '["x"]'),
        (Any, "{"),
    ],
)
def test_a_damaged_value_is_a_store_error(kind: Any, text: str) -> None:
    """Damage in the record is said in its own words, not as a stray KeyError."""
    with pytest.raises(StoreError):
        from_text(kind, text)


def test_a_field_added_later_keeps_its_default() -> None:
    """Nouns written by an older version come back with the defaults of the new fields."""
    row = {"id": "in-1", "primary_fault_id": "ft-1", "state": "open", "opened_at": 1.0}
    assert from_row(Incident, row).closed_at is None
    assert from_text(Incident, json.dumps(row)).closed_at is None
