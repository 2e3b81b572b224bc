"""Runs by hand of what needs approval: whose yes counts, and what is used up and recorded."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.approvals import decide_by_hand, is_asked_about, judge, why_undecided
from selfheal.config import Approval as Config
from selfheal.model import Answer, ApprovalState, Channel, Grant, Healing, Risk, new_id
from selfheal.store import SqliteRecord, open_record
from tests.store.nouns import a_healing

NOW = 1000.0
PEOPLE = ["anna", "ben", "carl"]


@pytest.fixture
def record() -> Iterator[SqliteRecord]:
    opened = open_record(":memory:")
    yield opened
    opened.close()


def by_hand(record: SqliteRecord) -> Healing:
    healing = a_healing(origin="operator", resource="web[1]")
    record.add_healing(healing)
    return healing


def granted(record: SqliteRecord, who: str, **changes: Any) -> Grant:
    grant = Grant(new_id("gr"), "*", "*", NOW - 10, NOW + 10, 1, who, "patch night", NOW - 10)
    grant = replace(grant, **changes)
    record.add_grant(grant)
    return grant


def decide(
    record: SqliteRecord, config: Config, healing: Healing, who: str, user: str = ""
) -> ApprovalState:
    """Return what becomes of a run by that person."""
    said = Answer(who, True, "", NOW, Channel.CLI)
    return decide_by_hand(record, config, healing, 0, said, user or who).state


def used(record: SqliteRecord) -> int:
    return sum(grant.used for grant in record.grants())


def test_the_yes_of_an_approver_is_enough(record: SqliteRecord) -> None:
    """Who runs it has said yes; it is on record, with who typed it, and no grant is used up."""
    granted(record, "anna")
    healing = by_hand(record)
    config = Config(approvers=("anna", "ben"))
    assert decide(record, config, healing, "ben", user="root") is ApprovalState.APPROVED
    [approval] = record.approvals(healing_id=healing.id)
    assert [(one.who, one.channel) for one in approval.answers] == [("ben", Channel.CLI)]
    assert used(record) == 0
    told = [entry.text for entry in record.entries(healing_id=healing.id)]
    assert "the answer of ben was typed in by the user root" in told
    assert decide(record, config, healing, "ben") is ApprovalState.APPROVED
    assert len(record.approvals(healing_id=healing.id)) == 1, "asked once, however often looked at"


def test_anybody_else_needs_a_grant(record: SqliteRecord) -> None:
    """Without one nothing stays on record; with one it is used up and named."""
    config, healing = Config(approvers=("anna", "ben")), by_hand(record)
    assert decide(record, config, healing, "carl") is ApprovalState.PENDING
    assert record.approvals() == []
    assert record.entries() == []
    granted(record, "ben")
    assert decide(record, config, healing, "carl") is ApprovalState.APPROVED
    [approval] = record.approvals()
    assert [(one.who, one.channel) for one in approval.answers] == [("ben", Channel.GRANT)]
    assert used(record) == 1
    assert decide(record, config, by_hand(record), "carl") is ApprovalState.PENDING


def test_where_nobody_is_named_whoever_runs_it_decides(record: SqliteRecord) -> None:
    """The yes is on record all the same."""
    assert decide(record, Config(), by_hand(record), "carl") is ApprovalState.APPROVED
    assert record.approvals()[0].answers[0].who == "carl"


def test_a_grant_that_is_not_enough_is_not_used_up(record: SqliteRecord) -> None:
    """Of three who must agree one has granted and one runs it: it is the third who is missing."""
    config, healing = Config(approvers=tuple(PEOPLE), need="all"), by_hand(record)
    granted(record, "anna")
    said = Answer("ben", True, "", NOW, Channel.CLI)
    asked = decide_by_hand(record, config, healing, 0, said, "ben")
    assert asked.state is ApprovalState.PENDING
    assert used(record) == 0
    why = why_undecided(asked, "ben")
    assert why.startswith("each of anna, ben, carl must say yes; missing: carl; ahead of time: ")
    granted(record, "carl")
    assert decide(record, config, healing, "ben") is ApprovalState.APPROVED
    assert used(record) == 2


def test_the_hint_is_a_command_that_helps(record: SqliteRecord) -> None:
    """What it says to type is a grant that fits this very target, whatever characters it has."""
    config, healing = Config(approvers=("anna",)), by_hand(record)
    said = Answer("carl", True, "", NOW, Channel.CLI)
    why = why_undecided(decide_by_hand(record, config, healing, 0, said, "carl"), "carl")
    assert "carl is none of them (--as says who you are)" in why
    words = shlex.split(why.partition("ahead of time: ")[2])
    options = dict(zip(words[2::2], words[3::2], strict=True))
    granted(record, options["--as"], solution=options["--ahead"], target=options["--target"])
    assert decide(record, config, healing, "carl") is ApprovalState.APPROVED


@pytest.mark.parametrize(("risk", "asked"), [(Risk.MEDIUM, False), (Risk.HIGH, True)])
def test_it_is_the_risk_that_asks(record: SqliteRecord, risk: Risk, asked: bool) -> None:
    """Whoever runs it by hand believes in it: how confident the record is does not matter."""
    solution = replace(by_hand(record).ladder[0], risk=risk)
    assert is_asked_about(solution, Config(confidence=1.0)) is asked


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(PEOPLE), unique=True),
    st.sampled_from(["any", "all"]),
    st.sampled_from([*PEOPLE, "dora"]),
    st.lists(st.sampled_from([*PEOPLE, "dora"]), max_size=4),
)
def test_it_is_judged_as_any_question(
    approvers: list[str], need: str, who: str, grants: list[str]
) -> None:
    """A run is approved exactly when the approvers among who runs it and who granted suffice; no
    grant more than it takes is used up, and without an approval none."""
    config = Config(approvers=tuple(approvers), need=need if approvers else "any")
    record = open_record(":memory:")
    for name in grants:
        granted(record, name)
    state = decide(record, config, by_hand(record), who)
    agreed = {who, *grants} & set(approvers)
    enough = agreed == set(approvers) if need == "all" else bool(agreed) or not approvers
    assert (state is ApprovalState.APPROVED) == enough
    mine = who in approvers or not approvers
    takes = len(approvers) if approvers and need == "all" else 1
    assert used(record) == (takes - mine if enough else 0)
    for approval in record.approvals():
        asked = replace(approval, state=ApprovalState.PENDING)
        assert judge(asked, NOW) is ApprovalState.APPROVED
    record.close()
