"""Carrying one healing to its end: read the record, ask `next_move`, do it, record it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from selfheal.clock import Clock
from selfheal.errors import ExecutionError, TemplateError
from selfheal.model import Healing, Refusal, Refused, Stage, Verdict
from selfheal.ports import Lease, Record
from selfheal.recovery.asking import Asking, Go
from selfheal.recovery.attempt import instead_of_retry, is_retry
from selfheal.recovery.canary import Batch, not_before
from selfheal.recovery.move import Finish, Move, StartRung
from selfheal.recovery.moves import Moves
from selfheal.recovery.plan import after_last_batch, after_refusal, next_move
from selfheal.recovery.resources import told_locks
from selfheal.recovery.roster import Driven, Roster
from selfheal.recovery.rungs import skip_rung, start_rung
from selfheal.recovery.story import Story


class Driver:
    """Carries healings on, each in its own task, until they are to be ended or handed on."""

    def __init__(
        self,
        record: Record,
        clock: Clock,
        asking: Asking,
        moves: Moves,
        roster: Roster,
        lease: Callable[[], Lease],
        draining: asyncio.Event,
    ) -> None:
        self._record = record
        self._clock = clock
        self._asking = asking
        self._moves = moves
        self._roster = roster
        self._lease = lease
        self._draining = draining

    async def carry(self, driven: Driven) -> Finish | None:
        """Return how the healing is to end; None when the engine shuts down before."""
        while True:
            healing = self._record.healing(driven.healing_id)
            step = await self._next(driven, healing)
            if isinstance(step, Finish):
                return step
            if step is Go.HAND_ON:
                Story(self._record, healing).handed_on()
                return None
            if not isinstance(step, Go):
                await self._do(driven, healing, step)

    async def _do(self, driven: Driven, healing: Healing, move: Move) -> None:
        waits = self._roster.turn.locked()
        async with self._roster.turn:
            # Somebody may have asked to stop while it waited for its turn: then plan anew.
            if not waits or self._record.healing(healing.id) == healing:
                await self._moves.do(healing, move, driven.stop)

    async def hold_locks(self, driven: Driven) -> Go:
        """Make sure of the locks of a healing that an earlier engine has begun.

        Whoever took them from the dead engine keeps them until it has ended."""
        while True:
            lease = self._lease()
            if self._record.take_locks(driven.healing_id, self._clock.now(), lease):
                self._record.set_waiting(driven.healing_id, None)
                return Go.AHEAD
            locks = self._record.locks_against(self._record.healing(driven.healing_id))
            await self._asking.nudged(driven, Refusal.LOCKED, told_locks(locks))
            if self._draining.is_set():
                return Go.HAND_ON
            if driven.stop.is_set():  # a stop undoes what ran, and that needs the locks as well
                await self._clock.sleep(1.0)

    async def _next(self, driven: Driven, healing: Healing) -> Move | Go:
        """Return what to do now; what needs a permission is asked for first."""
        move = next_move(healing)
        if isinstance(move, StartRung):
            return await self._rung(driven, healing, move)
        if is_retry(healing, move):
            return await self._retry(driven, healing, move)
        return move

    async def _rung(self, driven: Driven, healing: Healing, move: StartRung) -> Finish | Go:
        """Begin the attempt on record, or say why not."""
        if self._draining.is_set():
            return Go.HAND_ON
        hosts = await self._hosts(driven, healing, move)
        answer = await self._turn(driven, healing, move) if isinstance(hosts, tuple) else hosts
        if answer is Go.AHEAD:  # hours may have passed: which hosts are there by now?
            hosts = await self._hosts(driven, healing, move)
            answer = await self._allowed(driven, move, hosts) if isinstance(hosts, tuple) else hosts
        if isinstance(answer, Go | Finish):
            return answer
        if answer.verdict is Verdict.SKIP:
            return self._skip(self._record.healing(healing.id), move, answer)
        return after_refusal(healing, move.rung, answer)

    async def _hosts(
        self, driven: Driven, healing: Healing, move: StartRung
    ) -> tuple[str, ...] | Finish | Go:
        """Return the hosts of the batch, () without a canary; else how it goes on without any."""
        try:
            batch = await self._moves.next_batch(healing, move)
        except (ExecutionError, TemplateError) as error:
            return self._skip(healing, move, _empty(str(error)))
        if batch is None:
            return ()
        self._tell_left_out(driven, healing, batch)
        if batch.hosts:
            return batch.hosts
        if move.batch:
            return after_last_batch(healing)
        return self._skip(healing, move, _empty("its steps mean no host of the inventory"))

    async def _turn(self, driven: Driven, healing: Healing, move: StartRung) -> Go | Refused:
        """Wait for a human's yes, or for the end of the pause between two batches."""
        if not move.batch:
            return await self._asking.consent(driven, move.rung)
        solution = healing.ladder[move.rung]
        return await self._asking.pause(driven, not_before(healing, solution))

    async def _allowed(
        self, driven: Driven, move: StartRung, hosts: tuple[str, ...]
    ) -> Go | Refused:
        def begin(fresh: Healing) -> None:
            start_rung(self._record, fresh, move, hosts, self._clock.now())

        return await self._asking.check(driven, move.rung, move.stage, begin)

    def _tell_left_out(self, driven: Driven, healing: Healing, batch: Batch) -> None:
        """Once of each host, until a restart."""
        gone, late = (
            [one for one in some if one not in driven.left_out] for some in (batch.gone, batch.late)
        )
        if gone or late:
            driven.left_out |= {*gone, *late}
            Story(self._record, healing).left_out(gone, late)

    async def _retry(self, driven: Driven, healing: Healing, move: Move) -> Move | Go:
        """A step that was cut off: run it again if the rails let it, else let it be proven."""
        rung = healing.attempts[-1].rung

        def begin(fresh: Healing) -> None:
            if fresh.waiting:
                self._record.set_waiting(fresh.id, None)

        answer = await self._asking.check(driven, rung, Stage.RETRY, begin)
        if isinstance(answer, Refused):
            Story(self._record, healing).not_run_again(answer)
            return instead_of_retry(healing)
        return move if answer is Go.AHEAD else answer

    def _skip(self, healing: Healing, move: StartRung, refused: Refused) -> Go:
        skip_rung(self._record, healing, move, refused, self._clock.now())
        return Go.AGAIN


def _empty(detail: str) -> Refused:
    return Refused(Refusal.EMPTY_TARGET, detail, Verdict.SKIP)
