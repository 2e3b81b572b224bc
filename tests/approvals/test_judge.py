"""The pure rule: no sequence of answers, times and restarts approves without enough people."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.approvals import judge
from selfheal.model import Answer, Approval, ApprovalState, Channel, Need, Risk

PENDING, APPROVED, DENIED, EXPIRED = (
    ApprovalState.PENDING,
    ApprovalState.APPROVED,
    ApprovalState.DENIED,
    ApprovalState.EXPIRED,
)
PEOPLE = ("anna", "ben", "cleo", "mallory")
QUESTION = Approval(
    id="ap-1",
    healing_id="he-1",
    incident_id="",
    rung=0,
    solution="restart",
    risk=Risk.HIGH,
    target="web1",
    reasons=(),
    need=Need.ANY,
    approvers=("anna", "ben"),
    asked_at=0.0,
    expires_at=100.0,
)

approvers = st.lists(st.sampled_from(PEOPLE[:3]), unique=True).map(tuple)
answers = st.builds(
    Answer,
    who=st.sampled_from(PEOPLE),
    yes=st.sampled_from([True, True, True, False]),
    why=st.just(""),
    at=st.floats(-50, 150),
    channel=st.sampled_from(Channel),
)
moves = st.lists(st.one_of(answers, st.floats(-50, 150)), max_size=12)


@given(approvers, st.sampled_from(Need), moves)
def test_nothing_but_enough_people_in_time_approves(
    approvers: tuple[str, ...], need: Need, moves: list[Answer | float]
) -> None:
    """Answers and looks at any time, the clock going either way, each look being recorded as a
    restarted engine would find it: approved means that as many different approvers as needed had
    said yes in time, and none of them no before that; and what has ended stays ended."""
    approval = replace(QUESTION, approvers=approvers, need=need)
    for move in moves:
        before = approval
        if isinstance(move, Answer):
            approval = replace(approval, answers=(*approval.answers, move))
        now = move.at if isinstance(move, Answer) else move
        approval = replace(approval, state=judge(approval, now))
        if before.state is not PENDING:
            assert approval.state is before.state
        elif approval.state is APPROVED:
            assert enough(approval)
        elif approval.state is EXPIRED:
            assert now >= approval.expires_at
            assert not enough(approval)


def enough(approval: Approval) -> bool:
    """The rule again, by sets instead of by order."""
    counted = [
        one
        for one in approval.answers
        if one.at < approval.expires_at
        and (one.who in approval.approvers or not approval.approvers)
    ]
    agreed = {one.who for one in counted if one.yes}
    if any(not one.yes for one in counted):
        return False
    if approval.need is Need.ALL and approval.approvers:
        return agreed == set(approval.approvers)
    return bool(agreed)


def said(who: str, yes: bool = True, at: float = 1.0) -> Answer:
    return Answer(who, yes, "", at, Channel.CLI)


@pytest.mark.parametrize(
    ("need", "answers", "now", "state"),
    [
        (Need.ANY, [], 99.9, PENDING),
        (Need.ANY, [], 100.0, EXPIRED),
        (Need.ANY, [said("anna")], 1.0, APPROVED),
        (Need.ANY, [said("mallory")], 1.0, PENDING),
        (Need.ANY, [said("mallory", False)], 1.0, PENDING),
        (Need.ANY, [said("anna", at=100.0)], 100.0, EXPIRED),
        (Need.ANY, [said("anna")], 1000.0, APPROVED),
        (Need.ANY, [said("anna", False), said("ben")], 1.0, DENIED),
        (Need.ALL, [said("anna"), said("anna")], 1.0, PENDING),
        (Need.ALL, [said("anna"), said("ben")], 1.0, APPROVED),
        (Need.ALL, [said("anna"), said("ben", False)], 1.0, DENIED),
        (Need.ALL, [said("anna")], 100.0, EXPIRED),
    ],
)
def test_cases(need: Need, answers: list[Answer], now: float, state: ApprovalState) -> None:
    """The rule, told by examples; the last moment is too late."""
    assert judge(replace(QUESTION, need=need, answers=tuple(answers)), now) is state


def test_all_of_nobody_is_not_consent() -> None:
    """A question that all of no approvers must agree to is not approved by silence."""
    question = replace(QUESTION, need=Need.ALL, approvers=())
    assert judge(question, 1.0) is PENDING
    assert judge(replace(question, answers=(said("anna"),)), 1.0) is APPROVED


@pytest.mark.parametrize("state", [APPROVED, DENIED, EXPIRED, ApprovalState.WITHDRAWN])
def test_what_has_ended_stays(state: ApprovalState) -> None:
    """No later answer, and no time, changes what was decided."""
    late = (said("anna", True), said("ben", False))
    for now in (0.0, 1e9):
        assert judge(replace(QUESTION, state=state, answers=late), now) is state
