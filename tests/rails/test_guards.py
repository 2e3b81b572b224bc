"""Pause, silences and maintenance windows: they hold every stage, for as long as they say."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.config.matchers import parse_matcher
from selfheal.errors import ConditionError, NotFoundError
from selfheal.model import LabelMatcher, MatchOp, Refusal, Scope, Stage, Verdict
from selfheal.rails.labels import fits

from .conftest import Build


@pytest.mark.parametrize("stage", Stage, ids=lambda one: one.value)
def test_they_hold_every_stage(build: Build, stage: Stage) -> None:
    """Not only the start: a further rung, a batch and a retry wait, too."""
    world = build()
    healing = world.healing()
    for hold, reason in (
        (lambda: world.silence('target="web1"', for_=10), Refusal.SILENCED),
        (lambda: world.window(for_=10), Refusal.MAINTENANCE),
        (lambda: world.pause(for_=10), Refusal.PAUSED),
    ):
        hold()
        end = world.now + 10
        refused = world.ask(healing, stage)
        assert refused
        assert (refused.reason, refused.verdict, refused.until) == (reason, Verdict.WAIT, end)
        assert "ann" in refused.detail
        world.pass_(9.999)
        assert world.ask(healing, stage)
        world.pass_(0.001)
        assert world.ask(healing, stage) is None


def test_a_pause_of_one_rule_or_solution(build: Build) -> None:
    """Others go on; the pause of everything says that it is for everybody."""
    world = build()
    down, slow = world.healing(), world.healing("web1", world.fault("web1", rule="slow"))
    pause = world.pause(Scope.RULE, "down")
    refused = world.ask(down)
    assert refused
    assert (refused.until, refused.everybody) == (None, False)
    assert world.ask(slow) is None
    world.record.end_pause(pause.id[:-2], world.now)
    assert world.ask(down) is None
    world.pause(Scope.SOLUTION, "restart")
    assert world.ask(down)
    assert world.ask(world.by_hand("web3"))
    assert world.ask(slow, solution="replace") is None
    world.pause()
    refused = world.ask(slow, solution="replace")
    assert refused
    assert refused.everybody


def test_by_hand(build: Build) -> None:
    """A silence is for the engine; a pause and a window are for people as well."""
    world = build()
    healing = world.by_hand()
    world.silence('target="web1"')
    assert world.ask(healing) is None
    world.window()
    assert world.ask(healing)
    world.pause()
    assert world.ask(healing)
    assert world.ask(healing, override="it can't wait") is None


def test_the_engine_can_override_nothing(build: Build) -> None:
    """The reason lifts rails only for what an operator began."""
    world = build()
    world.pause()
    assert world.ask(world.healing(), override="please")


def test_what_overlaps_holds_until_the_last(build: Build) -> None:
    """The time to ask again is the end of the last that holds, of silences and of windows."""
    world = build()
    world.window('target="db"', for_=90)
    world.window('target="db"', for_=40)
    refused = world.ask(world.healing("db"))
    assert refused
    assert refused.until == world.now + 90
    world.silence('rule="down"', for_=50)
    world.silence('component="backend"', for_=80)
    refused = world.ask(world.healing())
    assert refused
    assert refused.until == world.now + 80


def test_one_that_has_yet_to_begin_holds_nothing(build: Build) -> None:
    """It begins at its first second, and ends before its last when it is ended by hand."""
    world = build()
    healing = world.healing()
    silence = world.silence('target="web1"', in_=10)
    assert world.ask(healing) is None
    world.pass_(10)
    assert world.ask(healing)
    world.record.end_silence(silence.id, world.now)
    assert world.ask(healing) is None
    world.record.end_silence(silence.id, world.now + 50)
    assert world.ask(healing) is None, "ending it later does not open it again"


@pytest.mark.parametrize(
    ("matchers", "holds"),
    [
        (['target="web1"'], True),
        (['target="web"'], False),
        (["target=~web.*"], True),
        (["target=~we"], False),
        ([r"target!~\d{1,3}(\.\d{1,3}){3}(:(80|443))?"], True),
        (["target!~db.*", "severity=critical"], True),
        (["target!~db.*", "severity=warning"], False),
        (["type=connection_failure", "ruleset=web", "solution=restart"], True),
        (["team=shop"], True),
        (["team!=shop"], False),
        (["labels.severity=page"], True),
        (["severity=page"], False),
        (["nothing="], True),
        (["nothing!="], False),
    ],
)
def test_matchers(build: Build, matchers: list[str], holds: bool) -> None:
    """All must hold; expressions match whole values; the fault's own names win over labels."""
    world = build()
    fault = world.fault(labels={"team": "shop", "severity": "page"})
    world.window(*matchers)
    assert bool(world.ask(world.healing(fault=fault))) is holds


@pytest.mark.parametrize("wrong", ["pauses", "silences", "maintenances"])
def test_ending_what_is_not_there(build: Build, wrong: str) -> None:
    """An unknown id is an error, not silence."""
    record = build().record
    end = {
        "pauses": record.end_pause,
        "silences": record.end_silence,
        "maintenances": record.end_maintenance,
    }
    with pytest.raises(NotFoundError):
        end[wrong]("xx-nope", 1.0)


def test_a_restart_keeps_them(build: Build) -> None:
    """What an operator said is on the disk."""
    world = build()
    world.pause()
    world.silence('target="web1"')
    world.restart()
    assert [one.who for one in world.record.pauses(world.now)] == ["ann"]
    assert [str(one.matchers[0]) for one in world.record.silences(world.now)] == ['target="web1"']


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


@given(NAMES, st.sampled_from([MatchOp.EQUAL, MatchOp.NOT_EQUAL]), st.text(max_size=12))
def test_a_matcher_survives_being_written(name: str, op: MatchOp, value: str) -> None:
    """What a list prints can be given back, whatever the value holds."""
    matcher = LabelMatcher(name, op, value)
    assert parse_matcher(str(matcher)) == matcher


@given(st.text(max_size=8), st.text(max_size=8))
def test_an_operator_and_its_opposite(value: str, other: str) -> None:
    """Exactly one of a matcher and its negation fits."""
    equal = fits([LabelMatcher("x", MatchOp.EQUAL, other)], {"x": value})
    assert equal is not fits([LabelMatcher("x", MatchOp.NOT_EQUAL, other)], {"x": value})
    assert equal is (value == other)


@pytest.mark.parametrize(
    ("text", "offset", "said"),
    [
        ("web1", 0, "not a matcher"),
        ("=x", 0, "not a matcher"),
        ('target="web', 7, "quotes do not close"),
        ('target="we"b"', 7, "quotes do not close"),
        ('target=we"b', 9, "quote in the middle"),
        ("target=~we[b", 10, "no regular expression"),
        ("host=~(a+)+", 6, "within a repeat"),
        ("host=~(a|a)+", 6, "within a repeat"),
        ("host=~(a?a?)*", 6, "within a repeat"),
        ("host=~(a{1,99}){1,99}", 6, "within a repeat"),
        ("host=~(?:x(b|bc)*)*y", 6, "within a repeat"),
    ],
)
def test_a_wrong_matcher_says_where(text: str, offset: int, said: str) -> None:
    """Each mistake is named, with its place in the text."""
    with pytest.raises(ConditionError, match=said) as caught:
        parse_matcher(text)
    assert caught.value.offset == offset


def test_a_hostile_label_holds_nobody_up(build: Build) -> None:
    """Expressions look at the first thousand characters of a label."""
    world = build()
    world.silence("team=~(web|db).*x?.*y")
    began = time.monotonic()
    for text in ("web" + "x" * 1_000_000, "web" + "x" * 2_000 + "y"):
        assert (
            world.ask(world.healing(text[-9:], world.fault(text[-9:], labels={"team": text})))
            is None
        )
    assert time.monotonic() - began < 2.0
