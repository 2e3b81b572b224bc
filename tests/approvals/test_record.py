"""What the record itself keeps, whoever writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from selfheal.errors import NotFoundError, StoreError
from selfheal.model import ApprovalState, Need

from .support import Bench
from .test_grants import granted
from .test_judge import QUESTION, said

Make = Callable[..., Bench]


def test_an_approval_comes_back_as_it_was(bench: Make) -> None:
    """Every field, the answers in order, by the whole id or its beginning."""
    record, healing = bench().record, bench().healing()
    first, second = said("anna"), said("ben", yes=False, at=2.0)
    question = replace(QUESTION, healing_id=healing.id, need=Need.ALL, reasons=("a", "b"))
    record.add_approval(question)
    record.add_answer(question.id, first)
    record.add_answer(question.id, second)
    assert record.approval("ap") == replace(question, answers=(first, second))
    assert record.approvals(healing_id=healing.id) == [record.approval(question.id)]
    assert record.approvals(state="approved") == []
    with pytest.raises(NotFoundError):
        record.approval("ap-nobody")


def test_one_question_waits_for_a_rung(bench: Make) -> None:
    """The file refuses a second one until the first has ended; another rung is another thing."""
    record, healing = bench().record, bench().healing()
    question = replace(QUESTION, healing_id=healing.id)
    record.add_approval(question)
    with pytest.raises(StoreError, match="is being asked for"):
        record.add_approval(replace(question, id="ap-2"))
    record.add_approval(replace(question, id="ap-3", rung=1))
    record.end_approval(question.id, ApprovalState.WITHDRAWN, 5.0)
    record.add_approval(replace(question, id="ap-2"))
    assert [found.id for found in record.approvals(state="pending")] == ["ap-2", "ap-3"]


def test_what_ended_first_stands(bench: Make) -> None:
    """A second end changes nothing and says so."""
    record, healing = bench().record, bench().healing()
    record.add_approval(replace(QUESTION, healing_id=healing.id))
    assert record.end_approval(QUESTION.id, ApprovalState.DENIED, 5.0)
    assert not record.end_approval(QUESTION.id, ApprovalState.APPROVED, 6.0)
    ended = record.approval(QUESTION.id)
    assert (ended.state, ended.ended_at) == (ApprovalState.DENIED, 5.0)


def test_a_grant_counts_once_for_an_approval(bench: Make) -> None:
    """Using it again for the same question uses up nothing, and says so."""
    one = bench()
    grant = granted(one, uses=5)
    now = one.clock.now()
    assert one.record.use_grant(grant.id, "ap-1", now)
    assert not one.record.use_grant(grant.id, "ap-1", now)
    assert one.record.use_grant(grant.id, "ap-2", now)
    assert one.record.grant(grant.id).used == 2


def test_a_link_is_used_once(bench: Make) -> None:
    """The second use of a link's hash is refused."""
    record, healing = bench().record, bench().healing()
    record.add_approval(replace(QUESTION, healing_id=healing.id))
    assert not record.link_used("abc")
    assert record.use_link("abc", QUESTION.id, 1.0)
    assert record.link_used("abc")
    assert not record.use_link("abc", QUESTION.id, 2.0)
