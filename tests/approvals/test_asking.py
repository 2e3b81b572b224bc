"""Asking and waiting: told once, restarts, expiry, withdrawal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from selfheal.approvals import settle
from selfheal.clock import ManualClock
from selfheal.errors import NotFoundError
from selfheal.model import ApprovalState, Channel, Heard, Kind
from selfheal.store import open_record

from .support import Bench

Make = Callable[..., Bench]


async def test_people_are_told_what_would_be_run_and_how_to_answer(bench: Make) -> None:
    """The message has the solution, its playbooks, the reasons, the end of the time, the verbs."""
    one = bench(approvers=["anna", "ben"], need="all")
    async with one.asking(one.healing()):
        [(subject, body, data)] = one.told
        ident = one.pending().id
    assert subject == "approval needed: restart-backend on web1 (low risk)"
    for part in (
        "restart: restart.yml",
        "the risk is high",
        "each of anna, ben must say yes",
        "2023-11-14 23:13:20",
        f"selfheal approve {ident}",
        f"selfheal deny {ident}",
    ):
        assert part in body
    assert data["approval_id"] == ident


async def test_a_yes_ends_the_waiting(bench: Make) -> None:
    """An answer wakes the question at once, and who gave it when and why is on record."""
    one = bench()
    async with one.asking(one.healing()) as task:
        ident = one.pending().id
        heard, _ = one.approvals.answer(ident, one.says("anna", why="go on"))
        approval = await asyncio.wait_for(task, 5)
    assert heard is Heard.COUNTED
    assert approval.state is ApprovalState.APPROVED
    assert approval.ended_at == one.clock.now()
    [answer] = approval.answers
    assert (answer.who, answer.why, answer.channel) == ("anna", "go on", Channel.CLI)
    lines = [entry.text for entry in one.record.entries() if entry.kind is Kind.APPROVAL]
    assert lines == [
        "restart-backend on web1: asked for",
        "anna approves by cli: go on",
        "restart-backend on web1: approved",
    ]


async def test_an_answer_needs_the_whole_id(bench: Make) -> None:
    """The beginning of an id is enough to look, not to decide."""
    one = bench()
    async with one.asking(one.healing()) as task:
        ident = one.pending().id
        with pytest.raises(NotFoundError, match=f"the whole id to answer: {ident}"):
            one.approvals.answer(ident[:-1], one.says("anna"))
        await one.clock.advance(10)
        assert not task.done()
    assert one.record.approval(ident[:-1]).answers == ()


async def test_one_no_ends_it_though_all_are_needed(bench: Make) -> None:
    """A denial is final, whoever agreed before or comes later."""
    one = bench(approvers=["anna", "ben", "cleo"], need="all")
    async with one.asking(one.healing()) as task:
        ident = one.pending().id
        one.approvals.answer(ident, one.says("anna"))
        one.approvals.answer(ident, one.says("ben", yes=False))
        approval = await asyncio.wait_for(task, 5)
        late, _ = one.approvals.answer(ident, one.says("cleo"))
    assert approval.state is ApprovalState.DENIED
    assert late is Heard.TOO_LATE


async def test_all_must_say_yes_each_once(bench: Make) -> None:
    """With `need: all` one person twice is one person, and a stranger is nobody."""
    one = bench(approvers=["anna", "ben"], need="all")
    async with one.asking(one.healing()) as task:
        ident = one.pending().id
        heard = [one.approvals.answer(ident, one.says(who))[0] for who in ("anna", "anna", "eve")]
        await one.clock.advance(30)
        assert not task.done()
        one.approvals.answer(ident, one.says("ben"))
        assert (await asyncio.wait_for(task, 5)).state is ApprovalState.APPROVED
    assert heard == [Heard.COUNTED, Heard.REPEATED, Heard.NOT_ASKED]


async def test_silence_is_a_no(bench: Make) -> None:
    """At its time, not before, the question expires; an answer after that is too late."""
    one = bench(expires="10m")
    async with one.asking(one.healing()) as task:
        await one.clock.advance(599)
        assert not task.done()
        await one.clock.advance(1)
        approval = await asyncio.wait_for(task, 5)
        heard, after = one.approvals.answer(approval.id, one.says("anna"))
    assert approval.state is after.state is ApprovalState.EXPIRED
    assert heard is Heard.TOO_LATE


async def test_an_answer_after_the_time_is_too_late_before_the_engine_has_looked(
    bench: Make,
) -> None:
    """With the engine down at the time, an answer after it finds the question expired."""
    one = bench(expires="10m")
    async with one.asking(one.healing()):
        ident = one.pending().id
    await one.clock.advance(600)
    heard, approval = one.approvals.answer(ident, one.says("anna"))
    assert heard is Heard.TOO_LATE
    assert approval.state is ApprovalState.EXPIRED


async def test_a_restart_keeps_the_time_that_is_left(tmp_path: Path) -> None:
    """The second engine takes the question up, tells nobody again, and it ends when the first
    one's would have."""
    clock = ManualClock()
    first = Bench(open_record(tmp_path / "record.db", clock), clock)
    healing = first.healing()
    async with first.asking(healing):
        asked = first.pending()
        await clock.advance(3000)
    first.record.close()
    await clock.advance(500)
    second = Bench(open_record(tmp_path / "record.db", clock), clock)
    async with second.asking(healing) as task:
        assert second.pending().id == asked.id
        await clock.advance(99)
        assert not task.done()
        await clock.advance(1)
        ended = await asyncio.wait_for(task, 5)
    second.record.close()
    assert len(first.told) == 1
    assert second.told == []
    assert (ended.id, ended.state) == (asked.id, ApprovalState.EXPIRED)


async def test_an_answer_to_a_dead_engine_is_found_by_the_next(bench: Make) -> None:
    """What was answered while no engine ran, or just before it died, is not asked again."""
    one, healing = bench(), None
    healing = one.healing()
    async with one.asking(healing):
        ident = one.pending().id
    one.approvals.answer(ident, one.says("anna"))
    async with one.asking(healing) as task:
        approval = await asyncio.wait_for(task, 5)
    assert (approval.id, approval.state) == (ident, ApprovalState.APPROVED)
    assert len(one.told) == 1


async def test_a_yes_is_good_until_the_question_would_have_expired(bench: Make) -> None:
    """A rung approved days ago and never begun is asked about anew."""
    one = bench(expires="1h")
    healing = one.healing()
    async with one.asking(healing) as task:
        one.approvals.answer(one.pending().id, one.says("anna"))
        first = await asyncio.wait_for(task, 5)
    await one.clock.advance(3600)
    async with one.asking(healing):
        assert one.pending().id != first.id
    assert len(one.told) == 2


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
async def test_a_clock_that_jumps_is_seen(bench: Make, jump: float) -> None:
    """The end is a time of day: set forward an hour the question ends within seconds, set back
    it lasts an hour longer, and neither approves."""
    one = bench(expires="30m")
    async with one.asking(one.healing()) as task:
        one.clock.jump(jump)
        await one.clock.advance(10)
        assert task.done() is (jump > 0)
        await one.clock.advance(0 if jump > 0 else 5400)
        assert (await asyncio.wait_for(task, 5)).state is ApprovalState.EXPIRED


async def test_people_who_were_not_told_are_told_by_the_next_engine(bench: Make) -> None:
    """An engine that died between writing the question and telling people leaves it to the next."""
    one = bench()
    healing = one.healing()

    async def killed(subject: str, body: str, data: object) -> None:
        raise asyncio.CancelledError

    one.approvals._tell_people = killed
    with pytest.raises(asyncio.CancelledError):
        await one.approvals.ask(healing, 0, [])
    one.approvals._tell_people = one.tell
    async with one.asking(healing):
        assert len(one.told) == 1


async def test_each_rung_is_a_question_of_its_own(bench: Make) -> None:
    """A yes to the quick fix is no yes to what comes after it."""
    one = bench()
    healing = one.healing(ladder=one.healing(resource="web2").ladder * 2)
    async with one.asking(healing, 0) as task:
        one.approvals.answer(one.pending().id, one.says("anna"))
        await asyncio.wait_for(task, 5)
    async with one.asking(healing, 1) as task:
        await one.clock.advance(60)
        assert not task.done()
        assert one.pending().rung == 1


async def test_withdrawn(bench: Make) -> None:
    """What is no longer needed is taken back, cannot be answered, and may be asked for anew."""
    one = bench()
    healing = one.healing()
    async with one.asking(healing) as task:
        ident = one.pending().id
        one.approvals.withdraw(healing.id, "the fault was resolved")
        approval = await asyncio.wait_for(task, 5)
    assert approval.state is ApprovalState.WITHDRAWN
    assert one.approvals.answer(ident, one.says("anna"))[0] is Heard.TOO_LATE
    assert "the fault was resolved" in one.record.entries()[-1].text
    async with one.asking(healing):
        assert one.pending().id != ident


async def test_an_answer_from_outside_is_seen_without_a_message(bench: Make) -> None:
    """The poll is the safety net: an answer whose message was lost is seen in five seconds."""
    one = bench()
    async with one.asking(one.healing()) as task:
        approval = one.pending()
        one.record.add_answer(approval.id, one.says("anna"))
        await one.clock.advance(5)
        assert (await asyncio.wait_for(task, 5)).state is ApprovalState.APPROVED


async def test_a_message_from_outside_wakes(bench: Make) -> None:
    """The inbox message `approval_answered` makes the engine look, though no time passes."""
    one = bench()
    async with one.asking(one.healing()) as task:
        one.record.add_answer(one.pending().id, one.says("anna"))
        await one.approvals.answered({"approval_id": one.pending().id})
        assert (await asyncio.wait_for(task, 5)).state is ApprovalState.APPROVED


async def test_one_question_at_a_time_for_a_rung(bench: Make) -> None:
    """Two that ask about the same rung wait for the same question."""
    one = bench()
    healing = one.healing()
    async with one.asking(healing) as first, one.asking(healing) as second:
        one.approvals.answer(one.pending().id, one.says("anna"))
        both = await asyncio.wait_for(asyncio.gather(first, second), 5)
    assert both[0] == both[1]
    assert len(one.told) == 1


async def test_settling_twice_tells_once(bench: Make) -> None:
    """Whoever looks first ends the question; the second look adds nothing to the story."""
    one = bench(expires="1m")
    async with one.asking(one.healing()):
        ident = one.pending().id
    await one.clock.advance(60)
    settle(one.record, ident, one.clock.now())
    told = len(one.record.entries())
    settle(one.record, ident, one.clock.now())
    assert len(one.record.entries()) == told
