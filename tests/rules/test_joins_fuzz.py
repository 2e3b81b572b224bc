"""Both join engines against each other and against brute force, on hostile events.

`SELFHEAL_FUZZ_EXAMPLES=2000` makes it long.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.rules.join_durable import DurableJoin
from tests.rules.build import HAS_DURABLE, Bench, needs_durable, rule

EXAMPLES = int(os.environ.get("SELFHEAL_FUZZ_EXAMPLES", "30"))

Body = dict[str, Any]
Truth = Callable[[tuple[Body, ...]], bool]
"""Whether the messages, one for each slot, satisfy a rule; written by hand, not compiled."""


def one(body: Body, name: str) -> bool:
    value = body.get(name)
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 1


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(left: Body, name: str, right: Body, other: str) -> bool:
    """Equal and of one type all the way down; what is missing equals nothing."""
    return name in left and other in right and shape(left[name]) == shape(right[other])


def shape(value: Any) -> Any:
    if isinstance(value, list):
        return ["list", *map(shape, value)]
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return type(value).__name__, hex(value) if isinstance(value, int) else repr(value)


def greater(left: Any, right: Any) -> bool:
    both_texts = isinstance(left, str) and isinstance(right, str)
    both_bools = isinstance(left, bool) and isinstance(right, bool)
    fits = both_texts or both_bools or (number(left) and number(right))
    return fits and left > right


RULES: list[tuple[tuple[str, ...], Truth]] = [
    (
        ("event.a == 1", "event.b == 1"),
        lambda m: one(m[0], "a") and one(m[1], "b"),
    ),
    (
        ("events.x << event.a == 1", "event.k == events.x.k"),
        lambda m: one(m[0], "a") and same(m[1], "k", m[0], "k"),
    ),
    (
        ("event.a is defined", "event.b == 1 and event.k > events.m_0.k"),
        lambda m: (
            "a" in m[0] and one(m[1], "b") and greater(m[1].get("k", b""), m[0].get("k", b""))
        ),
    ),
    (
        ("event.a == 1", "event.b == events.m_0.k", "event.k == events.m_1.k"),
        lambda m: one(m[0], "a") and same(m[1], "b", m[0], "k") and same(m[2], "k", m[1], "k"),
    ),
    (
        ("event.a == 1", "event.b == 1", "event.k == events.m_0.k and events.m_1.k == event.b"),
        lambda m: (
            one(m[0], "a")
            and one(m[1], "b")
            and same(m[2], "k", m[0], "k")
            and same(m[2], "b", m[1], "k")
        ),
    ),
]

HOSTILE = st.sampled_from(
    [
        *(1, 1, 1, 2, True, None, "x", "", 1.0, 2**70, 1e30, float("nan"), -(10**400)),
        *("\ud800", "y" * 70_000, [1], [1.0], {"k": 1}, {"k": [None]}),
    ]
)
BODIES = st.builds(
    lambda body, wide: body | ({f"f{n}": n for n in range(400)} if wide else {}),
    st.dictionaries(st.sampled_from("abk"), st.just(1) | HOSTILE, min_size=1),
    st.booleans(),
)


@dataclass(frozen=True)
class Send:
    body: Body
    as_fact: bool
    kill: bool


SENDS = st.lists(
    st.builds(Send, BODIES, st.integers(0, 9).map(lambda n: n == 0), st.integers(0, 9).map(bool)),
    min_size=4,
    max_size=25,
).map(lambda sends: [Send(each.body, each.as_fact, not each.kill) for each in sends])


class BruteForce:
    """All combinations of all living messages, tried one by one."""

    def __init__(self, chosen: list[int], *, multiple: bool) -> None:
        self.rules = [(f"r{n}", RULES[n]) for n in chosen]
        self.multiple = multiple
        self.living: dict[int, tuple[Body, bool]] = {}

    def send(self, ident: int, body: Body, *, is_event: bool) -> Counter[tuple[str, Any]]:
        self.living[ident] = (body, is_event)
        fired: list[tuple[str, Any]] = []
        used: set[int] = set()
        for name, (texts, truth) in self.rules:
            for idents in itertools.product(self.living, repeat=len(texts)):
                if ident in idents and truth(tuple(self.living[each][0] for each in idents)):
                    used |= {each for each in idents if self.living[each][1]}
                    if len(set(idents)) == len(idents):
                        fired.append((name, idents))
        if not self.multiple:
            for each in used:
                del self.living[each]
            if is_event:
                fired = [each for each in fired if each[0] == fired[0][0]]
        return Counter(fired)


@given(st.lists(st.sampled_from(range(len(RULES))), min_size=1, max_size=3, unique=True), SENDS)
@settings(max_examples=5 * EXAMPLES, deadline=None)
def test_the_python_engine_fires_what_brute_force_finds(
    chosen: list[int], sends: list[Send]
) -> None:
    """Every firing is true, none is missed, none comes twice."""
    for multiple in (False, True):
        _compare(chosen, sends[: 8 if multiple else None], ["python"], multiple=multiple)


@given(st.lists(st.sampled_from(range(len(RULES))), min_size=1, max_size=3, unique=True), SENDS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_both_engines_fire_the_same_while_the_child_is_killed(
    chosen: list[int], sends: list[Send]
) -> None:
    """Same firings in the same order from both, though the durable child dies at random."""
    needs_durable()
    _compare(chosen, sends, ["python", "durable"], multiple=False)


def _compare(chosen: list[int], sends: list[Send], engines: list[str], *, multiple: bool) -> None:
    rules = [rule(f"r{n}", *RULES[n][0]) for n in chosen]
    benches = [Bench(*rules, engine=each, match_multiple_rules=multiple) for each in engines]
    oracle = BruteForce(chosen, multiple=multiple)
    try:
        for ident, send in enumerate(sends):
            if send.kill:
                _kill_child(benches[-1])
            body = {**send.body, "id": ident}
            fired = [_fired(bench, body, as_fact=send.as_fact) for bench in benches]
            assert all(each == fired[0] for each in fired)
            assert Counter(fired[0]) == oracle.send(ident, body, is_event=not send.as_fact)
    finally:
        for bench in benches:
            bench.matcher.close()


def _fired(bench: Bench, body: Body, *, as_fact: bool) -> list[tuple[str, Any]]:
    send = bench.matcher.assert_fact if as_fact else bench.matcher.event
    return [(firing.rule, _idents(firing.matches)) for firing in send(body)]


def _idents(matches: Mapping[str, Mapping[str, Any]]) -> tuple[int, ...]:
    return tuple(body["id"] for body in matches.values())


def _kill_child(bench: Bench) -> None:
    engine = bench.matcher._engine
    if HAS_DURABLE and isinstance(engine, DurableJoin) and engine.child_pid is not None:
        with suppress(ProcessLookupError):
            os.kill(engine.child_pid, signal.SIGKILL)
