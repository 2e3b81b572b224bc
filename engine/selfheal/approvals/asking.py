"""Asking a human and waiting for the answer, across restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from selfheal.approvals.answering import answer, settle, tell, withdraw
from selfheal.approvals.message import body_of, data_of, subject_of
from selfheal.clock import Clock
from selfheal.config import Approval as Config
from selfheal.model import Answer, Approval, ApprovalState, Healing, HealingState, Heard, new_id
from selfheal.ports import JSON, Record

POLL_SECONDS = 5.0
"""A safety net: answers wake the question, and a clock that jumped is seen in this time."""

Tell = Callable[[str, str, JSON], Awaitable[None]]
"""Tell people: subject, body, data. `Notifier.notify` is one."""


def question(
    healing: Healing, rung: int, reasons: Sequence[str], config: Config, now: float
) -> Approval:
    """Return the question whether that rung may be run, as the configuration wants it asked."""
    solution = healing.ladder[rung]
    return Approval(
        id=new_id("ap"),
        healing_id=healing.id,
        incident_id=healing.incident_id,
        rung=rung,
        solution=solution.name,
        risk=solution.risk,
        target=healing.resource,
        reasons=tuple(reasons),
        need=config.need,
        approvers=config.approvers,
        asked_at=now,
        expires_at=now + config.expires,
    )


def taken_up(record: Record, healing: Healing, rung: int, now: float) -> Approval | None:
    """Return what was asked about this rung before and still holds."""
    for approval in record.approvals(healing_id=healing.id, limit=1000):
        if approval.rung == rung:
            return approval if _holds(approval, now) else None
    return None


def _holds(approval: Approval, now: float) -> bool:
    if approval.state is ApprovalState.APPROVED:
        return now < approval.expires_at
    return approval.state is not ApprovalState.WITHDRAWN


class Approvals:
    """Asks people, and hears their answers."""

    def __init__(self, record: Record, config: Config, clock: Clock, tell_people: Tell) -> None:
        self._record = record
        self._config = config
        self._clock = clock
        self._tell_people = tell_people
        self._changed = asyncio.Event()

    def configure(self, config: Config) -> None:
        """Ask what is asked from now on in that way."""
        self._config = config

    async def ask(self, healing: Healing, rung: int, reasons: Sequence[str]) -> Approval:
        """Ask whether that rung may be run; return the approval when it has ended.

        A question that an earlier engine asked is taken up with the time it has left, and one
        that was answered is not asked again. A yes counts until the approval's `expires_at`: a
        rung that was not begun by then is asked about anew. Cancelled, the question stays on
        record; see `withdraw`."""
        known = taken_up(self._record, healing, rung, self._clock.now())
        approval = known or self._asked(healing, rung, reasons)
        while True:
            changed = self._changed
            approval = settle(self._record, approval.id, self._clock.now())
            if approval.state is not ApprovalState.PENDING:
                return approval
            await self._tell_once(approval, healing)
            left = approval.expires_at - self._clock.now()
            await self._wait(changed, min(POLL_SECONDS, left))

    def answer(self, approval_id: str, given: Answer, *, link: str = "") -> tuple[Heard, Approval]:
        """Hear one answer, as `answering.answer` does, and wake who waits for it."""
        heard, approval = answer(self._record, approval_id, given, link=link)
        self._wake()
        return heard, approval

    async def answered(self, payload: JSON) -> None:
        """Handle the inbox message `approval_answered`: another process wrote an answer."""
        self._wake()

    def withdraw(self, healing_id: str, why: str) -> None:
        """Take back what is asked for that healing: it will not go on."""
        pending = ApprovalState.PENDING.value
        for approval in self._record.approvals(state=pending, healing_id=healing_id):
            withdraw(self._record, approval, why, self._clock.now())
        self._wake()

    def withdraw_leftovers(self) -> None:
        """At start: take back what an engine that died asked for healings that have ended."""
        pending = ApprovalState.PENDING.value
        for approval in self._record.approvals(state=pending, limit=1_000_000):
            if self._record.healing(approval.healing_id).state is HealingState.DONE:
                withdraw(self._record, approval, "the healing has ended", self._clock.now())

    def _asked(self, healing: Healing, rung: int, reasons: Sequence[str]) -> Approval:
        approval = question(healing, rung, reasons, self._config, self._clock.now())
        with self._record.transaction():
            self._record.add_approval(approval)
            tell(self._record, approval, f"{approval.solution} on {approval.target}: asked for")
        return approval

    async def _tell_once(self, approval: Approval, healing: Healing) -> None:
        """After a crash in between people may be told twice, not never."""
        if self._record.people_told(approval.id) is None:
            body = body_of(approval, healing)
            await self._tell_people(subject_of(approval), body, data_of(approval))
            self._record.set_people_told(approval.id, self._clock.now())

    async def _wait(self, changed: asyncio.Event, seconds: float) -> None:
        either = (
            asyncio.create_task(self._clock.sleep(seconds)),
            asyncio.create_task(changed.wait()),
        )
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in either:
                task.cancel()
            await asyncio.gather(*either, return_exceptions=True)

    def _wake(self) -> None:
        """Everybody looks again; who begins to wait from now on waits for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()
