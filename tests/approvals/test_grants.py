"""A yes given ahead of time: for what, when, how often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from selfheal.errors import NotFoundError
from selfheal.model import ApprovalState, Channel, Grant, new_id
from selfheal.ports import Record

from .support import Bench

Make = Callable[..., Bench]


def granted(bench: Bench, **changes: Any) -> Grant:
    now = bench.clock.now()
    values: dict[str, Any] = {
        "id": new_id("gr"),
        "solution": "restart-*",
        "target": "web*",
        "valid_from": now,
        "valid_until": now + 3600,
        "uses": 1,
        "who": "anna",
        "why": "patch night",
        "made_at": now,
    }
    grant = Grant(**values | changes)
    bench.record.add_grant(grant)
    return grant


async def test_a_fitting_grant_answers_at_once(bench: Make) -> None:
    """Nobody is called; who granted it, why and by which grant is on record."""
    one = bench()
    grant = granted(one)
    async with one.asking(one.healing()) as task:
        approval = await asyncio.wait_for(task, 5)
    assert approval.state is ApprovalState.APPROVED
    [answer] = approval.answers
    assert (answer.who, answer.why, answer.channel) == ("anna", "patch night", Channel.GRANT)
    assert one.told == []
    assert one.record.grant(grant.id).used == 1
    assert any(grant.id in entry.text for entry in one.record.entries())


async def test_a_grant_is_used_up(bench: Make) -> None:
    """With two uses the third healing is asked about."""
    one = bench()
    granted(one, uses=2)
    for _ in range(2):
        async with one.asking(one.healing()) as task:
            assert (await asyncio.wait_for(task, 5)).state is ApprovalState.APPROVED
    async with one.asking(one.healing()) as task:
        await one.clock.advance(60)
        assert not task.done()
    assert len(one.told) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"solution": "rebuild-*"},
        {"solution": "RESTART-*"},
        {"target": "db*"},
        {"valid_until": 1_700_000_000.0},
        {"valid_from": 1_700_000_000.1 + 600},
        {"who": "mallory"},
        {"revoked_at": 1_699_999_999.0},
    ],
)
async def test_a_grant_that_does_not_fit_answers_nothing(
    bench: Make, changes: dict[str, Any]
) -> None:
    """Another solution, target, time or person, or one taken back, leaves the question open."""
    one = bench(approvers=["anna"])
    grant = granted(one, **changes)
    async with one.asking(one.healing()) as task:
        await one.clock.advance(60)
        assert not task.done()
    assert one.record.grant(grant.id).used == 0


async def test_a_grant_for_later_answers_when_its_time_comes(bench: Make) -> None:
    """A question that waits at ten is approved by what was granted from ten on."""
    one = bench()
    granted(one, valid_from=one.clock.now() + 600)
    async with one.asking(one.healing()) as task:
        await one.clock.advance(599)
        assert not task.done()
        await one.clock.advance(6)
        assert (await asyncio.wait_for(task, 5)).state is ApprovalState.APPROVED


async def test_all_need_a_grant_each(bench: Make) -> None:
    """With `need: all` two grants of one person are one yes, and one is spent, not two."""
    one = bench(approvers=["anna", "ben"], need="all")
    first, second = granted(one), granted(one, valid_until=one.clock.now() + 7200)
    async with one.asking(one.healing()) as task:
        await one.clock.advance(60)
        assert not task.done()
        one.approvals.answer(one.pending().id, one.says("ben"))
        assert (await asyncio.wait_for(task, 5)).state is ApprovalState.APPROVED
    assert [one.record.grant(grant.id).used for grant in (first, second)] == [1, 0]


async def test_no_more_grants_are_spent_than_needed(bench: Make) -> None:
    """Where one yes is enough the grant that ends first is used, and the other is kept."""
    one = bench()
    kept = granted(one, who="ben", valid_until=one.clock.now() + 7200)
    spent = granted(one)
    async with one.asking(one.healing()) as task:
        await asyncio.wait_for(task, 5)
    assert [one.record.grant(grant.id).used for grant in (kept, spent)] == [0, 1]


async def test_a_grant_never_revives_what_has_expired(bench: Make) -> None:
    """A grant that begins as the question's time ends comes too late."""
    one = bench(expires="10m")
    async with one.asking(one.healing()):
        ident = one.pending().id
    await one.clock.advance(700)
    granted(one)
    _, approval = one.approvals.answer(ident, one.says("anna"))
    assert approval.state is ApprovalState.EXPIRED
    assert one.record.grants()[0].used == 0


def test_revoking(bench: Make) -> None:
    """A grant is taken back once; it is listed, and no longer among the valid ones."""
    one = bench()
    record: Record = one.record
    grant, now = granted(one), one.clock.now()
    assert [found.id for found in record.grants(valid_at=now)] == [grant.id]
    assert record.revoke_grant(grant.id, now)
    assert not record.revoke_grant(grant.id, now)
    assert record.grants(valid_at=now) == []
    assert record.grants()[0].revoked_at == now
    with pytest.raises(NotFoundError):
        record.revoke_grant("gr-nobody", now)


async def test_what_was_used_stays_used(bench: Make) -> None:
    """When the healing is pruned from the record its approval goes too, and the grant is no less
    used up for that."""
    one = bench()
    grant = granted(one)
    healing = one.healing()
    async with one.asking(healing) as task:
        await asyncio.wait_for(task, 5)
    one.record.db.execute("DELETE FROM healings")  # type: ignore[attr-defined]
    assert one.record.approvals() == []
    assert one.record.grant(grant.id).used == 1
    async with one.asking(one.healing()):
        assert one.pending()
