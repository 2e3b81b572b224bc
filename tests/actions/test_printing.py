"""debug and print_event: ansible-rulebook's shape, and nothing a terminal would obey."""

import re
from typing import Any

import pytest

from selfheal.ports import JSON
from tests.actions.bench import Bench, failure_of, run_one

EVENT = {"i": 1, "d": {"e": [1, {"f": 2}]}}


async def test_a_banner_has_the_rivals_shape() -> None:
    """An empty line, time and title filled up to 80 with stars, the content, 80 stars."""
    bench = await run_one("debug", {"msg": "plain"}, EVENT)
    (text,) = bench.printed
    empty, head, content, foot = text.split("\n")
    assert (empty, content, foot) == ("", "plain", "*" * 80)
    assert re.fullmatch(r"\*\* \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \[debug\] \*+", head)
    assert len(head) == 80


@pytest.mark.parametrize(
    ("args", "contents"),
    [
        ({"msg": "plain"}, ["plain"]),
        ({"msg": ["one", "{{ event.d.e[1].f }}"]}, ["one", "2"]),
        ({"msg": "{{ event.d.e }}"}, ["1", "{'f': 2}"]),
        ({"msg": "Hello {{ event.d }}"}, ["Hello {'e': [1, {'f': 2}]}"]),
        ({"var": "event.d.e"}, ["event.d.e: [1, {'f': 2}]"]),
        ({"var": "event.d.e.1.f"}, ["event.d.e.1.f: 2"]),
        ({"var": "place"}, ["place: here"]),
    ],
)
async def test_debug_prints_as_recorded(args: dict[str, Any], contents: list[str]) -> None:
    """Message, list of messages, a list that a template gives, a variable (probe p43)."""
    bench = await run_one("debug", args, EVENT, variables={"place": "here"})
    assert bench.contents == contents


async def test_debug_of_a_missing_variable_fails() -> None:
    """The name is in the message (probe p09)."""
    assert "event.nope" in await failure_of("debug", {"var": "event.nope"}, EVENT)


async def test_debug_without_arguments_prints_everything_but_secrets() -> None:
    """Two banners: what the rule knows with secrets masked at any depth, and the facts."""
    bench = await run_one(
        "debug",
        {},
        {"i": 1, "auth": {"api_key": "k"}},
        variables={
            "db_password": "hunter2",
            "service_dict": {"service2_token": "hunter2", "service2_username": "admin"},
            "list": [{"private_key": "hunter2"}],
        },
        facts=lambda ruleset: [{"of": ruleset, "secret": "hunter2"}],
        inventory="hosts.yml",
    )
    everything, facts = bench.printed
    assert "[debug: kwargs]" in everything
    assert "[debug: facts]" in facts
    assert "hunter2" not in everything + facts
    assert "'service2_username': 'admin'" in everything
    assert "'db_password': '******'" in everything
    assert "'inventory': 'hosts.yml'" in everything
    assert "'rule': 'r'" in everything
    assert "'of': 'web'" in facts


@pytest.mark.parametrize(
    ("args", "matches", "content"),
    [
        ({}, {"m": {"i": 1}}, "{'i': 1}"),
        ({}, {"m_0": {"i": 1}, "m_1": {"i": 2}}, "{'m_0': {'i': 1}, 'm_1': {'i': 2}}"),
        ({"pretty": True}, {"m": {"b": "x" * 50, "a": "y" * 50}}, None),
        ({"var_root": "d.e"}, {"m": EVENT}, "[1, {'f': 2}]"),
        ({"var_root": "i"}, {"m": {"i": 0}}, "{'i': 0}"),
        ({"var_root": "nope"}, {"m": {"i": 1}}, "{'i': 1}"),
        (
            {"var_root": {"d.e": "inner"}},
            {"m_0": {"i": 1}, "m_1": EVENT},
            str({"m_0": {"i": 1}, "m_1": EVENT, "inner": [1, {"f": 2}]}),
        ),
    ],
)
async def test_print_event_prints_as_recorded(
    args: dict[str, Any], matches: dict[str, JSON], content: str | None
) -> None:
    """One event or all by alias; `pretty` sorts and breaks lines; `var_root` shows a part."""
    bench = Bench([("print_event", args)])
    await bench.fire(**matches)
    assert bench.statuses == ["successful"]
    expected = content or "{'a': '" + "y" * 50 + "',\n 'b': '" + "x" * 50 + "'}"
    assert bench.contents == [expected]
    assert "[event]" in bench.printed[0]


async def test_an_event_cannot_steer_the_terminal() -> None:
    """Escape sequences of whoever sends events are shown, not obeyed."""
    bench = await run_one(
        "debug", {"msg": "{{ event.text }}"}, {"text": "a\x1b[2J\x9b\r\u202eb\tc"}
    )
    assert bench.contents == ["a�[2J���b\tc"]


async def test_a_wrong_var_root_is_named() -> None:
    """A list is neither a path nor a mapping."""
    assert "var_root" in await failure_of("print_event", {"var_root": ["i"]}, EVENT)
