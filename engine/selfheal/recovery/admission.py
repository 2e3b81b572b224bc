"""Which queued healing is begun next: oldest first, allowed by the gate, its resources free."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from selfheal.clock import Clock
from selfheal.errors import StoreError
from selfheal.model import (
    Healing,
    HealingState,
    Outcome,
    Refusal,
    Refused,
    Stage,
    Verdict,
)
from selfheal.ports import Gate, Lease, Record
from selfheal.recovery.claims import Claims
from selfheal.recovery.move import Finish, StartRung
from selfheal.recovery.plan import after_refusal, next_move
from selfheal.recovery.resources import needed_by, told_locks
from selfheal.recovery.rungs import skip_rung
from selfheal.recovery.starting import Rollout, Start, Starting, no_rollout
from selfheal.recovery.waiting import note_waiting

_log = logging.getLogger(__name__)
_RETRY = 5.0  # seconds after which a healing is looked at again that the record failed over

Drive = Callable[[str, Finish | None], None]
"""Take the healing over: to carry it on, or to end it so."""


@dataclass(slots=True, order=True)
class _Queued:
    sweep: int
    """What was made ready by an earlier sweep is asked first, so that each gets its turn."""
    number: int
    """Place in the queue."""
    healing_id: str = field(compare=False)
    until: float | None = field(default=None, compare=False)
    """Unix time at which to ask again; None: when something changes."""
    blockers: frozenset[str] = field(default=frozenset(), compare=False)
    """Healings that hold what it needs, or the older one that waits for some of the same."""
    needed: tuple[str, ...] = field(default=(), compare=False)
    """The locks it lacks some of."""


class Admission:
    """The queue. Each healing in it is either ready to be asked about, or parked.

    What is parked is made ready again when its time comes, the gate has changed, or what it needs
    is free: nothing is asked twice for nothing, however long the queue is. One that only lacks
    locks has a claim on them: nobody younger begins whose locks overlap, so that it is not
    overtaken for ever. One that waits for anything else holds up nobody, nor does one whose locks
    are held by somebody who waits himself: that may take as long as a human sleeps."""

    def __init__(
        self,
        record: Record,
        clock: Clock,
        gate: Gate,
        deciding: asyncio.Lock,
        lease: Callable[[], Lease],
        has_room: Callable[[], bool],
        drive: Drive,
        rollout: Rollout = no_rollout,
    ) -> None:
        self._record = record
        self._clock = clock
        self._gate = gate
        self._deciding = deciding
        self._lease = lease
        self._has_room = has_room
        self._drive = drive
        self._starting = Starting(record, clock, lease, rollout)
        self._queue: dict[str, _Queued] = {}
        self._ready: list[_Queued] = []
        self._parked: dict[str, _Queued] = {}
        self._claims = Claims()
        self._numbers = count()
        self._sweep = 0
        self._hold: Refused | None = None
        self._changed = False
        self._rest_until = 0.0
        self._poked = asyncio.Event()

    def add(self, healing_id: str) -> None:
        """Queue a healing that is on record as QUEUED."""
        queued = _Queued(self._sweep, next(self._numbers), healing_id)
        self._queue[healing_id] = queued
        heappush(self._ready, queued)
        self.poke()

    def remove(self, healing_id: str) -> bool:
        """Take it out of the queue; False when it is not in it."""
        self._parked.pop(healing_id, None)
        self._claims.drop(healing_id)
        return self._queue.pop(healing_id, None) is not None

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def hold(self) -> Refused | None:
        """What keeps everybody from beginning just now."""
        return self._hold

    def poke(self) -> None:
        """There may be room."""
        self._poked.set()

    def gate_changed(self) -> None:
        """Ask again about everything that is parked."""
        self._changed = True
        self.poke()

    def freed(self, healing_id: str) -> None:
        """That healing holds no lock, and has no claim on any."""
        self._unpark(lambda queued: healing_id in queued.blockers)
        self.poke()

    def tick(self) -> None:
        """Make ready whatever has come due, or is held up by nobody any more."""
        now, lease = self._clock.now(), self._lease()
        if self._hold and self._hold.until is not None and self._hold.until <= now:
            self._hold = None
        held: set[str] = set()
        if blocked := [queued for queued in self._parked.values() if queued.blockers]:
            held = {lock.healing_id for lock in self._record.locks() if not lease.is_dead(lock)}
            idle = self._record.idle_holders()
            for queued in blocked:
                self._claim(queued, idle)

        def is_due(queued: _Queued) -> bool:
            if queued.until is not None and queued.until <= now:
                return True
            stands = any(one in held or one in self._claims for one in queued.blockers)
            return bool(queued.blockers) and not stands

        self._unpark(is_due)
        self.poke()

    async def work(self) -> None:
        """Begin what can be begun, until cancelled."""
        while True:
            await self._poked.wait()
            self._poked.clear()
            try:
                await self._pass()
            except Exception:
                _log.exception("the next healing can't be begun now; the watch tries again")

    async def _pass(self) -> None:
        began = self._clock.monotonic()
        if self._changed and began >= self._rest_until:
            self._changed, self._hold = False, None
            self._sweep += 1
            self._unpark(lambda queued: True)
        while self._ready and not self._hold and self._has_room():
            queued = heappop(self._ready)
            if self._queue.get(queued.healing_id) is queued:
                await self._admit_or_later(queued)
            await asyncio.sleep(0)  # the queue may be long: everybody else gets a turn
        # At most half of the time is spent on asking, however often the gate changes.
        now = self._clock.monotonic()
        self._rest_until = now + (now - began)

    async def _admit_or_later(self, queued: _Queued) -> None:
        """Whatever goes wrong with one healing holds up no other."""
        try:
            await self._admit(queued)
        except StoreError:
            _log.exception("healing %s can't be begun now; trying again", queued.healing_id)
            self._park(queued, until=self._clock.now() + _RETRY)
        except Exception as error:
            _log.exception("healing %s failed inside the engine", queued.healing_id)
            reason = f"the engine failed: {type(error).__name__}: {error}"
            self._take(queued.healing_id, Finish(Outcome.FAILED, reason))

    async def _admit(self, queued: _Queued) -> None:
        healing = self._record.healing(queued.healing_id)
        if healing.state is not HealingState.QUEUED:
            self.remove(healing.id)  # another process has seen to it
            self.freed(healing.id)
            return
        move = next_move(healing)
        if not isinstance(move, StartRung):
            self._take(healing.id, None)
            return
        async with self._deciding:
            healing = await self._starting.with_hosts(healing)
            known = self._record.let_in()
            refused = await self._gate.check(healing, move.rung, Stage.START)
            if self._queue.get(healing.id) is not queued:
                return  # stopped meanwhile
            if refused is not None:
                self._refused(queued, healing, move, refused)
            elif self._has_room():
                self._begin(queued, healing, known)
            else:
                self._again(queued)

    def _begin(self, queued: _Queued, healing: Healing, known: frozenset[str]) -> None:
        older = self._claims.ahead_of(queued.number, needed_by(healing))
        match Start.LOCKED if older else self._starting.start(healing, known):
            case Start.BEGUN:
                self._take(healing.id, None)
            case Start.OUTDATED:
                self._again(queued)
            case Start.LOCKED:
                self._locked(queued, healing, older)

    def _locked(self, queued: _Queued, healing: Healing, older: str) -> None:
        """Wait: for the older healing, else for who holds what it needs."""
        locks = [] if older else self._record.locks_against(healing)
        detail = f"its turn comes after {older}, which waits for some of the same locks"
        self._note(healing, Refusal.LOCKED, detail if older else told_locks(locks), None)
        queued.needed = needed_by(healing)
        queued.blockers = frozenset([older] if older else [lock.healing_id for lock in locks])
        queued.until = None if queued.blockers else self._clock.now()  # freed since: at once
        self._parked[healing.id] = queued
        self._claim(queued, self._record.idle_holders())

    def _claim(self, queued: _Queued, idle: frozenset[str]) -> None:
        """Claim what it lacks, but let others by while one of its holders does nothing."""
        if queued.blockers.isdisjoint(idle):
            if queued.healing_id not in self._claims:
                self._claims.put(queued.number, queued.healing_id, queued.needed)
        else:
            self._disclaim(queued)

    def _disclaim(self, queued: _Queued) -> None:
        if queued.healing_id in self._claims:
            self._claims.drop(queued.healing_id)
            self.freed(queued.healing_id)

    def _refused(
        self, queued: _Queued, healing: Healing, move: StartRung, refused: Refused
    ) -> None:
        match refused.verdict:
            case Verdict.WAIT:
                self._note(healing, refused.reason, refused.detail, refused.until)
                if refused.everybody:
                    self._hold = refused
                    self._again(queued)
                else:
                    self._park(queued, refused.until)
            case Verdict.SKIP:
                skip_rung(self._record, healing, move, refused, self._clock.now())
                self._again(queued)
            case Verdict.STOP:
                self._take(healing.id, after_refusal(healing, move.rung, refused))

    def _take(self, healing_id: str, end: Finish | None) -> None:
        self.remove(healing_id)
        self._drive(healing_id, end)

    def _again(self, queued: _Queued) -> None:
        """Leave it ready, where it was in the queue."""
        heappush(self._ready, queued)

    def _park(self, queued: _Queued, until: float | None) -> None:
        """Keep it until then, or until something changes; whatever it waits for is no lock."""
        queued.until, queued.blockers = until, frozenset()
        self._parked[queued.healing_id] = queued
        self._disclaim(queued)

    def _unpark(self, which: Callable[[_Queued], bool]) -> None:
        for queued in [one for one in self._parked.values() if which(one)]:
            del self._parked[queued.healing_id]
            queued.sweep = self._sweep
            heappush(self._ready, queued)

    def _note(self, healing: Healing, reason: Refusal, detail: str, until: float | None) -> None:
        now = self._clock.now()
        note_waiting(self._record, healing, reason, detail, now=now, until=until)
