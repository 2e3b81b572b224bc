from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.errors import TemplateError
from selfheal.templates import render

CONTEXT = {"event": {"host": "web1", "ports": [80, 443], "evil": "{{ 7 * 7 }}"}, "n": 3}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ event.ports }}", [80, 443]),
        ("{{ n + 1 }}", 4),
        ("{{-n}}", 3),
        ("{{ -n }}", -3),
        ("host {{ event.host }}", "host web1"),
        ({"a": ["{{ n }}", {"b": "{{ event.host }}"}]}, {"a": [3, {"b": "web1"}]}),
        ("{{ '//a//b/c' | normpath | dirname }}", "/a/b"),
        ("plain", "plain"),
        (5, 5),
        (None, None),
    ],
)
def test_values_are_rendered_with_their_type(value: Any, expected: Any) -> None:
    """A lone expression keeps its type, other templates become text, the rest is left alone."""
    assert render(value, CONTEXT) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{ nope }}",
        "x {{ nope }}",
        "{{ event.nope.deeper }}",
        "{{ event.ports[9] }}",
        "{{ 1 / 0 }}",
        "{{ event. }}",
        "{% if %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ event.update(x=1) }}",
        "{{ event.ports.append(1) }}",
    ],
)
def test_undefined_broken_and_unsafe_templates_are_errors(template: str) -> None:
    """An undefined name, a syntax error, or reaching into Python raises TemplateError."""
    with pytest.raises(TemplateError):
        render(template, CONTEXT)


def test_what_an_event_says_is_never_a_template() -> None:
    """A template inside an event's value comes out as the text it is."""
    assert render("{{ event.evil }}", CONTEXT) == "{{ 7 * 7 }}"
    assert render("<{{ event.evil }}>", CONTEXT) == "<{{ 7 * 7 }}>"


@pytest.mark.parametrize(
    ("template", "x"),
    [("{{ x | from_json }}", "[" * 100_000), ("a {{ x | from_json }}", "[" * 100_000),
     ("{{ x | dictsort }}", 5)],
)  # fmt: skip
def test_what_a_filter_can_not_take_is_a_template_error(template: str, x: object) -> None:
    """Hostile event data (nested too deep, of another type) never escapes as another error."""
    with pytest.raises(TemplateError):
        render(template, {"x": x})


@given(st.text(max_size=60))
def test_no_template_raises_anything_else(text: str) -> None:
    """Any text whatever renders, or raises TemplateError."""
    with contextlib.suppress(TemplateError):
        render(text, CONTEXT)


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("86", 86),
        (" 1.5 ", 1.5),
        ("True", True),
        ("None", None),
        ("[1, {'a': 2}]", [1, {"a": 2}]),
        ("true", "true"),
        ("007", "007"),
        ("1e999", "1e999"),
        ("(1, 2)", "(1, 2)"),
        ("{1: 2}", "{1: 2}"),
        ("b'x'", "b'x'"),
        ("(" * 200, "(" * 200),
        ("9" * 5000, "9" * 5000),
        ("web-1", "web-1"),
    ],
)
def test_literals_are_read_where_asked_for(spelled: str, expected: Any) -> None:
    """With `literals` a rendered text that spells JSON in Python becomes that, no other does."""
    found = render("{{ x }}", {"x": spelled}, literals=True)
    assert (found, type(found)) == (expected, type(expected))
    assert render("{{ x }}", {"x": spelled}) == spelled


def test_only_templates_are_read_as_literals() -> None:
    """A text without Jinja is what was written, whatever it spells."""
    assert render({"a": "86", "b": "{{ n }}6"}, {"n": 8}, literals=True) == {"a": "86", "b": 86}
