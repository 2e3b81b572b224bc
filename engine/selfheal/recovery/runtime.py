"""The runtime on our own tables: takes healings from the record and carries them to their end.

A healing is a loop around one pure function: read the record, ask `next_move`, do it, record it.
Which process asks to stop, which crash came between two moves, does not matter: the record knows.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from selfheal.clock import Clock, SystemClock
from selfheal.model import Healing, HealingState, Lock, Waiting
from selfheal.ports import Gate, Lease, PlaybookRunner, Record
from selfheal.ports.locks import never_dead
from selfheal.recovery.admission import Admission
from selfheal.recovery.asking import Asking, Go
from selfheal.recovery.canary import HostsOf
from selfheal.recovery.driving import Driver
from selfheal.recovery.ending import Ending
from selfheal.recovery.move import Finish
from selfheal.recovery.moves import Moves
from selfheal.recovery.open_gate import OpenGate
from selfheal.recovery.orphans import end_orphans
from selfheal.recovery.pausing import Pausing
from selfheal.recovery.requests import KnownHosts, LiveVariables
from selfheal.recovery.roster import Driven, Roster
from selfheal.recovery.story import Story
from selfheal.recovery.waiting import cancelled
from selfheal.recovery.watch import Watch

_log = logging.getLogger(__name__)

OnDone = Callable[[Healing], Awaitable[None]]
"""Called once with each healing that has ended."""


async def _ignore(healing: Healing) -> None:
    return None


async def _no_hosts(inventory: str) -> Collection[str]:
    return ()


async def _no_host(pattern: str, inventory: str) -> Sequence[str]:
    return ()


class SqliteRuntime:
    """Implements `ports.Runtime` over `ports.Record`.

    `max_parallel` healings are worked on at a time; one that waits for `gate` takes no place.
    `known_hosts` and `hosts_of` know the inventory: `AnsibleRunner.hosts` and `.hosts_of`; without
    them every limit that comes from an event, and every canary, is refused. `live` fills up what
    the record lacks. `poll` is how often (seconds) stops asked for by other processes, resources
    freed by them, and waits that are over are looked for. Locks are taken in the name of `holder`
    for `lease` seconds at a time; those of a holder that `is_dead` for certain may be taken away.
    """

    def __init__(
        self,
        record: Record,
        runner: PlaybookRunner,
        *,
        clock: Clock | None = None,
        max_parallel: int = 8,
        gate: Gate | None = None,
        on_done: OnDone = _ignore,
        known_hosts: KnownHosts = _no_hosts,
        hosts_of: HostsOf = _no_host,
        prometheus_url: str = "",
        live: LiveVariables | None = None,
        poll: float = 0.5,
        holder: str = "",
        is_dead: Callable[[Lock], bool] = never_dead,
        lease: float = 60.0,
    ) -> None:
        self._record = record
        self._runner = runner
        self._clock = clock = clock or SystemClock()
        self._gate = gate = gate or OpenGate()
        self._poll = poll
        self._draining = asyncio.Event()
        self._roster = Roster(max_parallel)
        self._holder = holder or f"process {os.getpid()}"
        self._is_dead = is_dead
        self._lease_seconds = lease
        self._pausing = Pausing(record, clock, self._draining)
        self._ending = Ending(record, clock, on_done, self._pausing)
        moves = Moves(
            record, runner, clock, known_hosts, hosts_of, prometheus_url, live or LiveVariables()
        )
        asking = Asking(record, clock, gate, self._roster, self._draining)
        self._driver = Driver(
            record, clock, asking, moves, self._roster, self._lease, self._draining
        )
        self._admission = Admission(
            record,
            clock,
            gate,
            asking.deciding,
            self._lease,
            self._has_room,
            self._drive,
            moves.rollout,
        )
        self._roster.on_room = self._admission.poke
        self._watch = Watch(
            record,
            clock,
            gate,
            self._roster,
            self._admission,
            self._ending,
            self._end_queued,
            poll=poll,
            lease=lease,
        )
        self._helpers: list[asyncio.Task[None]] = []

    async def submit(self, healing: Healing) -> None:
        """See `ports.Runtime.submit`. Raises StoreError when the fault has an open healing."""
        if hold := self._admission.hold:
            waiting = Waiting(hold.reason, hold.detail, self._clock.now(), hold.until)
            healing = replace(healing, waiting=waiting)
        # What is only queued has had no effect: whoever asked for it asks anew after a power cut,
        # and what begins it is on disk first, with all before it.
        with self._record.transaction(durable=False):
            self._record.add_healing(healing)
            Story(self._record, healing).accepted()
            if hold:
                Story(self._record, healing).waiting(hold.reason, hold.detail)
            elif self._roster.full:
                Story(self._record, healing).no_place(self._roster.places)
        self._admission.add(healing.id)
        self._begin_helpers()

    async def stop(self, healing_id: str, why: str) -> None:
        """See `ports.Runtime.stop`. Raises NotFoundError. One that has ended is left alone."""
        healing = self._record.healing(healing_id)
        if healing.state is HealingState.DONE:
            return
        why = why or "stopped"  # an empty reason would look like none on record
        with self._record.transaction():
            self._record.request_stop(healing.id, why)
            Story(self._record, healing).stop_asked(why)
        if driven := self._roster.get(healing.id):
            driven.stop.set()
        else:
            self._end_queued(healing.id)

    async def drain(self) -> None:
        """See `ports.Runtime.drain`.

        An attempt that has begun is carried to its end, rollback included; no further rung or
        batch is begun. What is queued, or waits, stays in the record for `resume`."""
        self._draining.set()
        while len(self._roster):
            await asyncio.wait([driven.task for driven in self._roster])
        await cancelled(*self._helpers)

    async def abort(self) -> None:
        """End what runs, now: every playbook is ended, the healings stay open in the record."""
        self._draining.set()
        await cancelled(*self._helpers, *(driven.task for driven in self._roster))

    async def resume(self) -> None:
        """At start-up, with no other engine on this record: take up what an earlier one left.

        Playbooks that still run though their engine is dead are ended first."""
        await end_orphans(self._record, self._runner)
        for state in (HealingState.RUNNING, HealingState.QUEUED):
            for healing in reversed(self._record.healings(limit=1_000_000, state=state.value)):
                if healing.origin != "engine" or self._roster.get(healing.id):
                    continue
                if state is HealingState.RUNNING:
                    Story(self._record, healing).resumed()
                    self._drive(healing.id, None, resumed=True)
                else:
                    self._admission.add(healing.id)
        self._begin_helpers()

    @property
    def idle(self) -> bool:
        """True when no healing runs or waits here."""
        return not len(self._roster) and not len(self._admission)

    async def finished(self, healing_id: str) -> Healing:
        """Wait for the end of a healing that was submitted here; return it."""
        while (healing := self._record.healing(healing_id)).state is not HealingState.DONE:
            if driven := self._roster.get(healing.id):
                await asyncio.wait([driven.task])
            else:
                await self._clock.sleep(self._poll)
        return healing

    def _has_room(self) -> bool:
        return not self._roster.full and not self._draining.is_set()

    def _lease(self) -> Lease:
        return Lease(self._holder, self._clock.now() + self._lease_seconds, self._is_dead)

    def _begin_helpers(self) -> None:
        if self._helpers or self._draining.is_set():
            return
        helpers = {
            "begin what is queued": self._admission.work(),
            "watch the record": self._watch.look(),
            "listen to the gate": self._watch.listen(),
        }
        self._helpers = [
            asyncio.create_task(work, name=f"healings: {name}") for name, work in helpers.items()
        ]

    def _end_queued(self, healing_id: str) -> None:
        """Drive a queued healing to its end: somebody stopped it, nothing of it will run."""
        if self._admission.remove(healing_id):
            self._drive(healing_id, None)

    def _drive(self, healing_id: str, end: Finish | None, *, resumed: bool = False) -> None:
        driven = self._roster.enter(healing_id)
        driven.end = end
        work = self._carry(driven, resumed)
        driven.task = asyncio.create_task(work, name=f"healing {healing_id}")
        driven.task.add_done_callback(partial(self._left, healing_id))
        self._begin_helpers()

    async def _carry(self, driven: Driven, resumed: bool) -> None:
        """Carry one healing to its end; whatever goes wrong stays inside."""
        to_its_end = partial(self._to_its_end, driven, resumed)
        try:
            ended = await self._pausing.through(driven.healing_id, to_its_end)
        except Exception as error:
            _log.exception("healing %s failed inside the engine", driven.healing_id)
            ended = self._ending.give_up(driven.healing_id, error)
        if ended:
            await self._ending.pass_on(ended)
            self._gate.changed.set()

    async def _to_its_end(self, driven: Driven, resumed: bool) -> Healing | None:
        """Go on from what is on record; None when the engine shuts down before the end."""
        if resumed and await self._driver.hold_locks(driven) is Go.HAND_ON:
            return None
        driven.end = driven.end or await self._driver.carry(driven)
        return self._ending.finish(driven.healing_id, driven.end) if driven.end else None

    def _left(self, healing_id: str, task: asyncio.Task[None]) -> None:
        """Make room; also for a task that was cancelled before it began."""
        self._roster.leave(healing_id)
        if task.cancelled():
            return
        if error := task.exception():
            _log.error("healing %s failed inside the engine", healing_id, exc_info=error)
        self._admission.freed(healing_id)
