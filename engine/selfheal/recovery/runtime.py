"""The runtime on our own tables: takes healings from the record and carries them to their end.

A healing is a loop around one pure function: read the record, ask `next_move`, do it, record it.
Which process asks to stop, which crash came between two moves, does not matter: the record knows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from selfheal.clock import Clock, SystemClock
from selfheal.errors import SelfhealError
from selfheal.model import Healing, HealingState, Outcome, Refusal
from selfheal.ports import PlaybookRunner, Record
from selfheal.recovery.moves import Moves
from selfheal.recovery.plan import Finish, Move, StartRung, ladder_outcome, next_move
from selfheal.recovery.requests import KnownHosts, LiveVariables
from selfheal.recovery.story import Story

_log = logging.getLogger(__name__)

BeforeRung = Callable[[Healing, int], Awaitable[Refusal | None]]
"""Called before each rung; a refusal ends the healing. It may wait for hours (an approval)."""
OnDone = Callable[[Healing], Awaitable[None]]
"""Called once with each healing that has ended."""


async def _allow(healing: Healing, rung: int) -> Refusal | None:
    return None


async def _ignore(healing: Healing) -> None:
    return None


async def _no_hosts(inventory: str) -> Collection[str]:
    return ()


class SqliteRuntime:
    """Implements `ports.Runtime` over `ports.Record`.

    `max_parallel` healings are worked on at a time; waiting for `before_rung` takes no place.
    `known_hosts` answers which hosts an inventory has: `AnsibleRunner.hosts`; without it every
    limit that comes from an event is refused. `live` fills up what
    the record lacks. `poll` is how often (seconds) stops asked for by
    other processes, and resources freed by them, are looked for; a queued healing that another
    process stops ends when its turn comes.
    """

    def __init__(
        self,
        record: Record,
        runner: PlaybookRunner,
        *,
        clock: Clock | None = None,
        max_parallel: int = 8,
        before_rung: BeforeRung = _allow,
        on_done: OnDone = _ignore,
        known_hosts: KnownHosts = _no_hosts,
        prometheus_url: str = "",
        live: LiveVariables | None = None,
        poll: float = 0.5,
    ) -> None:
        self._record = record
        self._clock = clock or SystemClock()
        self._moves = Moves(
            record, runner, self._clock, known_hosts, prometheus_url, live or LiveVariables()
        )
        self._before_rung = before_rung
        self._on_done = on_done
        self._poll = poll
        self._max_parallel = max_parallel
        self._places = asyncio.Semaphore(max_parallel)
        self._waiting: dict[str, str] = {}  # healing to resource, oldest first
        self._running: dict[str, _Driven] = {}
        self._broken: dict[str, str] = {}  # healing to why, which the record could not be told yet
        self._draining = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None

    async def submit(self, healing: Healing) -> None:
        """See `ports.Runtime.submit`. Raises StoreError when the fault has an open healing."""
        with self._record.transaction():
            self._record.add_healing(healing)
            Story(self._record, healing).accepted()
        self._waiting[healing.id] = healing.resource
        self._take_up_or_later()
        if healing.id in self._waiting and not self._draining.is_set():
            places = self._max_parallel if self._is_full() else 0
            Story(self._record, healing).waiting(places)

    async def stop(self, healing_id: str, why: str) -> None:
        """See `ports.Runtime.stop`. Raises NotFoundError. One that has ended is left alone."""
        healing = self._record.healing(healing_id)
        if healing.state is HealingState.DONE:
            return
        why = why or "stopped"  # an empty reason would look like none on record
        with self._record.transaction():
            self._record.request_stop(healing.id, why)
            Story(self._record, healing).stop_asked(why)
        if driven := self._running.get(healing.id):
            driven.stop.set()
        elif self._waiting.pop(healing.id, None) is not None:
            self._drive(healing)  # to its end: nothing of it will run

    async def drain(self) -> None:
        """See `ports.Runtime.drain`.

        An attempt that has begun is carried to its end, rollback included; no further rung is
        begun. What is queued, or waits for a decision, stays in the record for `resume`."""
        self._draining.set()
        while self._running:
            await asyncio.wait([driven.task for driven in self._running.values()])
        await _cancelled(self._poller)

    async def abort(self) -> None:
        """End what runs, now: every playbook is ended, the healings stay open in the record."""
        self._draining.set()
        await _cancelled(self._poller, *(driven.task for driven in self._running.values()))

    async def resume(self) -> None:
        """At start-up, with no other engine on this record: take up what an earlier one left."""
        for state in (HealingState.RUNNING, HealingState.QUEUED):
            left = self._record.healings(limit=1_000_000, state=state.value)
            for healing in reversed(left):
                if healing.origin != "engine" or healing.id in self._running:
                    continue
                if state is HealingState.RUNNING:
                    Story(self._record, healing).resumed()
                    self._drive(healing)
                else:
                    self._waiting[healing.id] = healing.resource
        self._take_up()

    @property
    def idle(self) -> bool:
        """True when no healing runs or waits here."""
        return not self._running and not self._waiting

    async def finished(self, healing_id: str) -> Healing:
        """Wait for the end of a healing that was submitted here; return it."""
        while (healing := self._record.healing(healing_id)).state is not HealingState.DONE:
            driven = self._running.get(healing.id)
            if driven:
                await asyncio.wait([driven.task])
            else:
                await self._clock.sleep(self._poll)
        return healing

    def _take_up(self) -> None:
        """Start what waits, oldest first, where there is a place and the resource is free."""
        busy = {driven.resource for driven in self._running.values()}
        for healing_id, resource in list(self._waiting.items()):
            if self._draining.is_set() or self._is_full():
                break
            if resource in busy:
                continue
            if healing := self._started(healing_id):
                del self._waiting[healing_id]
                busy.add(resource)
                self._drive(healing)
            elif self._record.healing(healing_id).state is not HealingState.QUEUED:
                del self._waiting[healing_id]  # another process has seen to it
        self._keep_watching()

    def _started(self, healing_id: str) -> Healing | None:
        """Start it in the record, with its story or not at all; None when it can't start now."""
        with self._record.transaction():
            if not self._record.start_healing(healing_id, self._clock.now()):
                return None
            healing = self._record.healing(healing_id)
            Story(self._record, healing).started()
        return healing

    def _take_up_or_later(self) -> None:
        try:
            self._take_up()
        except Exception:
            _log.exception("the next healing can't be taken up now; the watch tries again")
            self._keep_watching()

    def _is_full(self) -> bool:
        return sum(not driven.asking for driven in self._running.values()) >= self._max_parallel

    def _drive(self, healing: Healing) -> None:
        driven = self._running[healing.id] = _Driven(healing.resource)
        driven.task = asyncio.create_task(
            self._carry(healing.id, driven), name=f"healing {healing.id}"
        )
        driven.task.add_done_callback(partial(self._left, healing.id))
        self._keep_watching()

    def _keep_watching(self) -> None:
        if (self._waiting or self._running or self._broken) and (
            self._poller is None or self._poller.done()
        ):
            self._poller = asyncio.create_task(self._watch(), name="healings: watch the record")

    async def _watch(self) -> None:
        """Look for stops asked for, and resources freed, by other processes."""
        while ((self._waiting or self._broken) and not self._draining.is_set()) or self._running:
            await self._clock.sleep(self._poll)
            try:
                for healing_id, driven in self._running.items():
                    if self._record.healing(healing_id).stop_requested:
                        driven.stop.set()
                self._take_up()
            except Exception:
                _log.exception("the record can't be watched; trying again")
            for healing_id, reason in list(self._broken.items()):
                with suppress(SelfhealError):  # it has been logged; the next round tries again
                    self._end_broken(healing_id, reason)

    async def _carry(self, healing_id: str, driven: _Driven) -> None:
        """Carry one healing to its end; whatever goes wrong stays inside."""
        if ended := await self._ended(healing_id, driven):
            await self._pass_on(ended)

    def _left(self, healing_id: str, task: asyncio.Task[None]) -> None:
        """Make room; also for a task that was cancelled before it began."""
        del self._running[healing_id]
        if task.cancelled():
            return
        if error := task.exception():
            _log.error("healing %s failed inside the engine", healing_id, exc_info=error)
        self._take_up_or_later()

    async def _ended(self, healing_id: str, driven: _Driven) -> Healing | None:
        """Return the healing when it has ended; None when the engine shuts down before."""
        try:
            while True:
                healing = self._record.healing(healing_id)
                move = await self._next(healing, driven)
                if isinstance(move, _Again):
                    continue
                if isinstance(move, _HandOn):
                    Story(self._record, healing).handed_on()
                    return None
                if isinstance(move, Finish):
                    return self._finish(healing, move)
                async with self._places:
                    await self._moves.do(healing, move, driven.stop)
        except Exception as error:
            _log.exception("healing %s failed inside the engine", healing_id)
            return self._give_up(healing_id, error)

    async def _next(self, healing: Healing, driven: _Driven) -> Move | _Again | _HandOn:
        """Return the planned move; a rung is asked for first."""
        move = next_move(healing)
        if not isinstance(move, StartRung):
            return move
        if self._draining.is_set():
            return _HandOn()
        asked = asyncio.ensure_future(self._before_rung(healing, move.rung))
        others = [asyncio.ensure_future(event.wait()) for event in (driven.stop, self._draining)]
        waiting: set[asyncio.Future[Any]] = {asked, *others}
        driven.asking = True
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if driven.stop.is_set():
                return _Again()  # the record says that somebody wants it stopped
            if not asked.done():
                return _HandOn()
            refusal = asked.result()
            return _refused(healing, move.rung, refusal) if refusal else move
        finally:
            driven.asking = False
            for future in waiting:
                future.cancel()
            await asyncio.wait({asked})

    def _finish(self, healing: Healing, move: Finish) -> Healing:
        now = self._clock.now()
        with self._record.transaction():
            self._record.end_healing(healing.id, move.outcome, move.reason, now)
            Story(self._record, healing).ended(
                move.outcome, move.reason, now - (healing.started_at or now)
            )
        return self._record.healing(healing.id)

    def _give_up(self, healing_id: str, error: Exception) -> Healing | None:
        """End a healing that the engine itself could not carry on; return it for a human."""
        reason = f"the engine failed: {type(error).__name__}: {error}"
        try:
            return self._end_broken(healing_id, reason)
        except Exception:
            _log.exception("healing %s can't be ended in the record; trying again", healing_id)
            self._broken[healing_id] = reason
            return _last_known(self._record, healing_id, reason)

    def _end_broken(self, healing_id: str, reason: str) -> Healing:
        """End it in the record as far as it has come. Raises StoreError."""
        healing = self._record.healing(healing_id)
        if healing.state is not HealingState.DONE:
            ran = any(attempt.steps for attempt in healing.attempts)
            outcome = Outcome.UNKNOWN if ran else Outcome.FAILED
            with self._record.transaction():
                for attempt in healing.attempts:
                    if attempt.outcome is None:
                        self._record.end_attempt(attempt.id, Outcome.UNKNOWN, self._clock.now())
                healing = self._finish(healing, Finish(outcome, reason))
        self._broken.pop(healing_id, None)
        return healing

    async def _pass_on(self, ended: Healing) -> None:
        try:
            await self._on_done(ended)
        except Exception as error:
            _log.exception("the end of healing %s could not be passed on", ended.id)
            Story(self._record, ended).not_told(f"{type(error).__name__}: {error}")


class _Again:
    """The record has changed meanwhile: plan anew."""


class _HandOn:
    """The engine shuts down: leave the healing as it is."""


class _Driven:
    """A healing under way here."""

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self.stop = asyncio.Event()
        self.asking = False
        """Waits for the hook's answer and takes no place meanwhile."""
        self.task: asyncio.Task[None]


def _refused(healing: Healing, rung: int, refusal: Refusal) -> Finish:
    """A refusal of the first rung refuses all; later the attempts so far decide."""
    name = healing.ladder[rung].name
    reason = f"rung {rung + 1} ({name}) was refused: {refusal.value}"
    if not healing.attempts or refusal is Refusal.FAULT_GONE:
        return Finish(Outcome.REFUSED, reason)
    return Finish(ladder_outcome(healing), reason)


def _last_known(record: Record, healing_id: str, reason: str) -> Healing | None:
    try:
        return replace(record.healing(healing_id), outcome=Outcome.UNKNOWN, reason=reason)
    except Exception:
        _log.exception("healing %s can't even be read", healing_id)
        return None


async def _cancelled(*tasks: asyncio.Task[None] | None) -> None:
    """Cancel the tasks and wait for their end."""
    running = [task for task in tasks if task and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
