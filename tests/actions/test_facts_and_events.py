"""set_fact, retract_fact, post_event, shutdown: what reaches the engine."""

from typing import Any

import pytest

from selfheal.actions import ShutdownKind
from tests.actions.bench import failure_of, run_one

EVENT = {"i": 1}


@pytest.mark.parametrize(
    ("name", "key", "taken"), [("set_fact", "fact", "facts"), ("post_event", "event", "events")]
)
async def test_what_an_action_makes_says_where_it_comes_from(
    name: str, key: str, taken: str
) -> None:
    """It goes to the own ruleset, with a `meta` like a source's; its other keys stay."""
    bench = await run_one(name, {key: {"n": "{{ event.i }}", "meta": {"zone": 5}}}, EVENT)
    ((ruleset, body),) = getattr(bench, taken)
    meta = body["meta"]
    assert (ruleset, body["n"], meta["zone"]) == ("web", 1, 5)
    assert meta["source"] == {"name": name, "type": "internal"}
    assert meta["received_at"] == "1970-01-01T00:16:40.000000Z"
    assert len(meta["uuid"]) == 36


@pytest.mark.parametrize(
    ("name", "key", "taken"),
    [
        ("set_fact", "fact", "facts"),
        ("post_event", "event", "events"),
        ("retract_fact", "fact", "retracted"),
    ],
)
async def test_another_ruleset_can_be_named(name: str, key: str, taken: str) -> None:
    """`ruleset` sends it there; an unknown one fails the action (probe p12)."""
    bench = await run_one(name, {key: {"n": 1}, "ruleset": "other"}, EVENT)
    assert getattr(bench, taken)[0][0] == "other"
    assert "nowhere" in await failure_of(name, {key: {"n": 1}, "ruleset": "nowhere"}, EVENT)


@pytest.mark.parametrize(("args", "partial"), [({}, True), ({"partial": False}, False)])
async def test_retract_is_partial_unless_told_otherwise(
    args: dict[str, Any], partial: bool
) -> None:
    """The fact is given as written, without a `meta`."""
    bench = await run_one("retract_fact", {"fact": {"n": 1}, **args}, EVENT)
    assert bench.retracted == [("web", {"n": 1}, partial)]


@pytest.mark.parametrize("given", [None, "text", [1], "{{ event.i }}"])
async def test_a_fact_is_a_mapping(given: Any) -> None:
    """Anything else fails the action with the argument's name."""
    assert "argument fact" in await failure_of("set_fact", {"fact": given}, EVENT)


async def test_a_fact_is_json() -> None:
    """An object that a template gives is refused, not turned into something else."""
    args = {"fact": {"f": "{{ event.items }}"}}
    assert "is a function" in await failure_of("set_fact", args, EVENT)


async def test_shutdown_asks_the_engine_and_prints_it() -> None:
    """Kind, seconds and message reach the engine; the banner is the rival's."""
    args = {"kind": "graceful", "delay": 0, "message": "bye {{ event.i }}"}
    bench = await run_one("shutdown", args, EVENT)
    assert bench.shutdowns == [(ShutdownKind.GRACEFUL, 0.0, "bye 1")]
    assert bench.contents == [
        "web rule: r has initiated shutdown of type: graceful. Delay: 0.000 seconds, Message: bye 1"
    ]
    assert bench.told[0].data["kind"] == "graceful"


async def test_shutdown_has_the_rivals_defaults() -> None:
    """Graceful, 60 s, a message that says nothing."""
    bench = await run_one("shutdown", {}, EVENT)
    assert bench.shutdowns == [(ShutdownKind.GRACEFUL, 60.0, "Default shutdown message")]


@pytest.mark.parametrize(
    ("args", "named"),
    [({"kind": "soon"}, "kind"), ({"delay": "x"}, "delay"), ({"delay": -1}, "delay")],
)
async def test_a_wrong_shutdown_does_not_end_the_engine(args: dict[str, Any], named: str) -> None:
    """In doubt the engine stays."""
    assert named in await failure_of("shutdown", args, EVENT)
