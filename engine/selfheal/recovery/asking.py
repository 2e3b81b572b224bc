"""Asking the gate on behalf of a healing under way, and waiting while it says `not now`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

from selfheal.clock import Clock
from selfheal.model import Healing, Refusal, Refused, Stage, Verdict
from selfheal.ports import Gate, Record
from selfheal.recovery.roster import Driven, Roster
from selfheal.recovery.waiting import cancelled, note_waiting, settled

_AT_ONCE = 0.05  # seconds in which an answer that needs no human is there

Begin = Callable[[Healing], None]


class Go(Enum):
    """How a healing goes on after it asked."""

    AHEAD = "ahead"
    """It was allowed, and has begun on record."""
    AGAIN = "again"
    """The world may have changed meanwhile (somebody asks to stop, a yes is over): plan anew."""
    HAND_ON = "hand_on"
    """The engine shuts down: leave the healing as it is."""


class Asking:
    """Asks one question at a time for all healings of this process.

    `deciding` is held from the question until what was allowed is on record as begun."""

    def __init__(
        self, record: Record, clock: Clock, gate: Gate, roster: Roster, draining: asyncio.Event
    ) -> None:
        self.deciding = asyncio.Lock()
        self._record = record
        self._clock = clock
        self._gate = gate
        self._roster = roster
        self._draining = draining

    async def check(self, driven: Driven, rung: int, stage: Stage, begin: Begin) -> Go | Refused:
        """Ask the rails until they say more than `not now`; `begin` records what is allowed.

        A rung or batch that had to wait is planned anew: a human's yes, or a rule's, may be over by
        then, and its hosts may be others."""
        while True:
            healing = self._record.healing(driven.healing_id)
            async with self.deciding:
                answer = await self._answer(driven, healing, rung, stage)
                if answer is None:
                    return self._begun(healing, begin)
            if isinstance(answer, Go) or answer.verdict is not Verdict.WAIT:
                return answer
            self._note(healing, answer.reason, answer.detail, answer.until)
            if go := await self._nudged(driven, answer.until):
                return go
            if stage is not Stage.RETRY:
                return Go.AGAIN

    def _begun(self, healing: Healing, begin: Begin) -> Go:
        fresh = self._record.healing(healing.id)
        if fresh.stop_requested:  # by another process, while the gate was asked
            return Go.AGAIN
        begin(fresh)
        return Go.AHEAD

    async def consent(self, driven: Driven, rung: int) -> Go | Refused:
        """Ask a human where one must say yes. The rails may end the wait: the fault is gone."""
        healing = self._record.healing(driven.healing_id)
        asked = asyncio.ensure_future(self._gate.consent(healing, rung))
        try:
            if not await settled(asked, driven.stop, self._draining, timeout=_AT_ONCE):
                with self._roster.aside():
                    if refused := await self._human(driven, rung, asked):
                        return refused
            if driven.stop.is_set() or not asked.done():
                return self._interrupted(driven)
            return asked.result() or Go.AHEAD
        finally:
            await cancelled(asked)

    async def _human(
        self, driven: Driven, rung: int, asked: asyncio.Future[Refused | None]
    ) -> Refused | None:
        """Wait for the answer, or for the rails to make the question pointless."""
        while not (asked.done() or driven.stop.is_set() or self._draining.is_set()):
            if refused := await self._meanwhile(driven, rung):
                return refused
            await settled(asked, driven.stop, self._draining, driven.nudge)
        return None

    async def pause(self, driven: Driven, until: float) -> Go:
        """Wait until that time (Unix)."""
        while self._clock.now() < until:
            if go := await self._nudged(driven, until):
                return go
        return Go.AHEAD

    async def nudged(self, driven: Driven, reason: Refusal, detail: str) -> None:
        """Wait, for that reason, until it is worth looking again, or the wait is off."""
        self._note(self._record.healing(driven.healing_id), reason, detail, None)
        await self._nudged(driven, self._clock.now())

    async def _meanwhile(self, driven: Driven, rung: int) -> Refused | None:
        """Ask the rails beside the human: only a final no of theirs counts."""
        driven.nudge.clear()
        healing = self._record.healing(driven.healing_id)
        detail = f"a human is asked whether {healing.ladder[rung].name} may be run"
        self._note(healing, Refusal.APPROVAL_REQUIRED, detail, None)
        async with self.deciding:
            answer = await self._answer(driven, healing, rung, Stage.RUNG)
        final = isinstance(answer, Refused) and answer.verdict is not Verdict.WAIT
        return answer if final and isinstance(answer, Refused) else None

    async def _answer(
        self, driven: Driven, healing: Healing, rung: int, stage: Stage
    ) -> Go | Refused | None:
        asked = asyncio.ensure_future(self._gate.check(healing, rung, stage))
        try:
            await settled(asked, driven.stop, self._draining)
            if driven.stop.is_set() or not asked.done():
                return self._interrupted(driven)
            return asked.result()
        finally:
            await cancelled(asked)

    async def _nudged(self, driven: Driven, until: float | None) -> Go | None:
        driven.ask_at = until
        nudge = asyncio.ensure_future(driven.nudge.wait())
        try:
            with self._roster.aside():
                await settled(nudge, driven.stop, self._draining)
        finally:
            nudge.cancel()
            driven.ask_at = None
        if driven.stop.is_set() or self._draining.is_set():
            return self._interrupted(driven)
        driven.nudge.clear()
        return None

    def _interrupted(self, driven: Driven) -> Go:
        return Go.AGAIN if driven.stop.is_set() else Go.HAND_ON

    def _note(self, healing: Healing, reason: Refusal, detail: str, until: float | None) -> None:
        now = self._clock.now()
        note_waiting(self._record, healing, reason, detail, now=now, until=until)
