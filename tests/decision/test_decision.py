from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.decision import Policy, build_ladder, confidence, decide_rung
from selfheal.model import (
    Fault,
    Risk,
    Severity,
    Solution,
    SolutionRecord,
    Strategy,
)


def solution(
    name: str,
    strategy: Strategy = Strategy.QUICK_FIX,
    risk: Risk = Risk.LOW,
    root_cause: str = "web-*",
) -> Solution:
    return Solution(name=name, root_cause=root_cause, strategy=strategy, risk=risk, steps=())


def fault() -> Fault:
    return Fault(
        id="ft-1",
        fingerprint="f",
        type="connection_failure",
        severity=Severity.ERROR,
        component="web",
        target="web1",
        message="down",
        starts_at=0,
        last_seen=0,
        root_cause="web-dead",
        incident_id="in-1",
    )


def records(**history: tuple[int, int]):
    def record_of(name: str) -> SolutionRecord:
        used, healed = history.get(name, (0, 0))
        return SolutionRecord(name, used, healed, None, None)

    return record_of


def test_the_ladder_climbs_from_quick_fix_to_deep() -> None:
    """Whatever order the rulebook has, the cheapest strategy is tried first."""
    found = build_ladder(
        "web-dead",
        [solution("c", Strategy.DEEP), solution("b", Strategy.STANDARD), solution("a")],
        records(),
    )
    assert [one.name for one in found] == ["a", "b", "c"]


def test_only_matching_root_causes_are_on_the_ladder() -> None:
    """A solution is a candidate when its glob fits the root cause, and only then."""
    candidates = [solution("web"), solution("db", root_cause="db-*")]
    assert [one.name for one in build_ladder("web-dead", candidates, records())] == ["web"]


def test_within_a_strategy_the_record_decides() -> None:
    """Of two quick fixes the one that healed more often comes first."""
    found = build_ladder("web-dead", [solution("a"), solution("b")], records(a=(4, 0), b=(4, 4)))
    assert [one.name for one in found] == ["b", "a"]


@given(st.integers(0, 1000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_confidence_is_a_probability_that_success_raises(history: tuple[int, int]) -> None:
    """Confidence stays within 0 and 1, one more success raises it, one more failure lowers it."""
    used, healed = history
    now = confidence(SolutionRecord("a", used, healed, None, None))
    assert 0 < now < 1
    assert confidence(SolutionRecord("a", used + 1, healed + 1, None, None)) > now
    assert confidence(SolutionRecord("a", used + 1, healed, None, None)) < now


def test_a_rung_that_may_run_says_why() -> None:
    """A decision to act names the rung, its confidence and the record behind it."""
    made = decide_rung(fault(), [solution("a")], 0, records(a=(3, 3)), Policy(), now=1.0)
    assert made.refused is None
    assert made.solution == "a"
    assert any("healed 3 of 3" in reason for reason in made.reasoning)
    assert {vote.voter for vote in made.votes} == {"ladder", "record", "risk"}


@pytest.mark.parametrize(
    ("candidate", "history"),
    [(solution("a", risk=Risk.HIGH), (0, 0)), (solution("a"), (2, 0))],
    ids=["high risk", "failed twice"],
)
def test_risk_and_doubt_ask_for_a_human(candidate: Solution, history: tuple[int, int]) -> None:
    """High risk, or two failures with no success, is not run without approval."""
    made = decide_rung(fault(), [candidate], 0, records(a=history), Policy(), now=1.0)
    assert made.requires_approval
    assert "human" in made.reasoning[-1]


def test_a_reason_from_elsewhere_asks_for_a_human_too() -> None:
    """What speaks against running alone, such as the rule's autonomy, is among the reasons."""
    why = "the rule may act with approval only"
    made = decide_rung(fault(), [solution("a")], 0, records(), Policy(), 1.0, [why])
    assert made.requires_approval
    assert made.reasoning[-1] == why
