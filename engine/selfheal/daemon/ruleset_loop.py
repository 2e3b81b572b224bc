"""One ruleset at work: events, facts and timers in, firings out, in one order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from selfheal.daemon.journal_queue import JournalQueue
from selfheal.daemon.restoring import Memory
from selfheal.daemon.ruleset_clock import RulesetClock
from selfheal.daemon.timed_matcher import TimedMatcher
from selfheal.daemon.turns import Turns
from selfheal.errors import StoreError
from selfheal.model import Event, Firing, InputKind, Kind, Ruleset
from selfheal.ports import JSON, Matcher, Record, Timeline

log = logging.getLogger(__name__)

MOST_TRIES = 4
"""So often a starting engine tries to match an event; one it dies of each time is given up."""


class Actors(Protocol):
    """Who acts on firings."""

    def take(self, firing: Firing) -> None:
        """Take it over; it is on record."""
        ...

    async def room(self) -> None:
        """Return when more can be taken over; at once inside an action."""
        ...


class RulesetLoop:
    """Owns the matcher of one ruleset: everything that may fire a rule goes through here.

    What it is shown is in the journal first. That it was matched, and what fired, is on record
    before anything is acted on.
    """

    def __init__(
        self,
        ruleset: Ruleset,
        queue: JournalQueue,
        actors: Actors,
        record: Record,
        timeline: Timeline,
        clock: RulesetClock,
        memory: Memory,
        *,
        show: Callable[[JSON], None] = lambda event: None,
        gave_up: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self.ruleset = ruleset
        self.queue = queue
        self._actors = actors
        self._record = record
        self._timeline = timeline
        self._clock = clock
        self._memory = memory
        self._turns = Turns(ruleset, record, timeline, clock)
        self._show = show
        self._gave_up = gave_up
        self._left: deque[Event] = deque()
        self._busy = False
        self._broken: Exception | None = None
        self.matched = 0
        """Events that fired a rule."""
        self.seen = 0
        """Events that were matched at all."""

    def restore(self, matcher: Matcher, build: Callable[[], Matcher]) -> str:
        """Remember what the record says was matched, and match before anything new what was
        accepted and was not; return what is lost, empty for nothing."""
        restored = self._memory.restore(matcher, build)
        self._matcher = restored.matcher
        self._timed = TimedMatcher(self._matcher, self._clock)
        self._turns.last = restored.turn
        # One of these may be what an earlier engine died of: tries are counted before they are
        # made, together at first, then one by one.
        self._left.extend(self._record.unmatched(self.ruleset.name))
        self._record.count_tries([event.id for event in self._left if not event.tries])
        return restored.note

    @property
    def idle(self) -> bool:
        """True when nothing waits here."""
        return not self._busy and not self.waiting

    @property
    def waiting(self) -> int:
        """How much is accepted and not matched yet."""
        return len(self._left) + len(self.queue)

    def facts(self) -> list[JSON]:
        """Return the facts that stand."""
        return self._matcher.facts()

    async def post(self, event: JSON, origin: str = "") -> None:
        """Match an event an action made, once for each origin."""
        await self.queue.post(event, origin)

    async def assert_fact(self, fact: JSON, origin: str = "") -> None:
        """Keep a fact, once for each origin, and act on what fires."""
        self._take_in(self.queue.noun(fact, InputKind.FACT, origin))

    async def retract_fact(self, fact: JSON, partial: bool = True, origin: str = "") -> None:
        """Forget facts, once for each origin, and act on what fires."""
        meta = {"partial": partial}
        self._take_in(self.queue.noun(fact, InputKind.RETRACT, origin, meta))

    async def run(self) -> None:
        """Work until cancelled; raises what the record could not take."""
        while True:
            self._busy = True
            self.queue.wake.clear()
            await self._work()
            self._busy = False
            await self._rest()

    def end(self) -> None:
        """Leave everything on record: another loop may take up from here."""
        self.queue.end()
        try:
            if self._broken is None:
                self._save()
        except StoreError as error:
            # The marks that are missing now are made again by the next engine.
            log.error("ruleset %s: its state is not on record: %s", self.ruleset.name, error)
        finally:
            self._matcher.close()

    async def _work(self) -> None:
        """Do what there is to do: each event at its moment, timers before it, then what is due."""
        while True:
            if self._broken is not None:
                raise self._broken
            worked = self._match_next()
            if not worked:
                self._hand_on(self._let_time_pass(self._clock.read()))
            self._turns.flush_in_time()
            if self._memory.is_old(self._matcher, self._turns.last):
                self._save_or_later()
            await self._actors.room()
            if not (worked or self.waiting):
                return

    def _match_next(self) -> bool:
        """Match what an earlier engine left, then what comes; False when nothing waits."""
        if self._left:
            self._match_left()
        elif (event := self.queue.take()) is not None:
            self._hand_on(self._match(event))
        else:
            return False
        return True

    async def _rest(self) -> None:
        """Return when something new arrives, a timer is due or marks are to be written."""
        due, flush_in = self._matcher.due(), self._turns.flush_in
        waits = [] if due is None else [due - self._clock.read() / 1e6]
        waits += [] if flush_in is None else [flush_in]
        alarm = asyncio.create_task(self._ring(min(waits))) if waits else None
        try:
            await self.queue.wake.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    async def _ring(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self.queue.wake.set()

    def _take_in(self, event: Event) -> None:
        """Journal and match at once: an action's later actions count on it."""
        if self._broken is not None:
            raise self._broken
        if self._record.has_origin(event.origin):
            return
        while self._left:
            self._match_left()
        with self._all_or_broken():
            self._record.add([event])
            fired = self._match(event)
            self._turns.flush()
        self._hand_on(fired)
        self.queue.wake.set()  # a timer of it may be due before the one that is waited for

    def _match_left(self) -> None:
        event = self._left.popleft()
        if event.tries >= MOST_TRIES:
            self._give_up(event)
            return
        if event.tries:
            self._turns.flush()
            self._record.count_tries([event.id])
        self._hand_on(self._match(event))
        if event.tries:
            self._turns.flush()

    def _give_up(self, event: Event) -> None:
        note = f"the engine ended {event.tries} times while it was matched; it is left out"
        self._turns.matched(event, self._clock.shown, note)
        self._turns.flush()
        self._tell(event, f"an event is left out: {note}")
        self._gave_up(event)

    def _match(self, event: Event) -> list[Firing]:
        """Show it at its moment, timers first; return what fired, which is on record."""
        if event.kind in (InputKind.EVENT, InputKind.POSTED):
            self.seen += 1
            self._show(event.body)
        fired = self._let_time_pass(event.moment)
        firings, note = self._timed.show(event)
        if firings:
            self.matched += 1
            return fired + self._recorded(event, firings)
        self._turns.matched(event, self._clock.shown, note)
        if note:
            self._tell(event, "an event could not be matched; see the log")
        return fired

    def _let_time_pass(self, until: int) -> list[Firing]:
        fired: list[Firing] = []
        for firings in self._timed.ticks(until):
            if firings:
                tick = self.queue.noun({}, InputKind.TICK)
                fired += self._recorded(tick, firings)
        return fired

    def _recorded(self, event: Event, firings: Sequence[Firing]) -> list[Firing]:
        with self._all_or_broken():
            if event.kind is InputKind.TICK:
                self._record.add([event])
            return self._turns.fired(event, self._clock.shown, firings)

    def _hand_on(self, fired: Sequence[Firing]) -> None:
        for firing in fired:
            self._actors.take(firing)

    @contextlib.contextmanager
    def _all_or_broken(self) -> Iterator[None]:
        """One transaction. If it fails the matcher knows of what the record does not: only a
        restart brings them together.

        It costs no sync: should the power fail, the event is matched anew, and nothing was done in
        the world, for what does is on disk first, and all this before it."""
        try:
            with self._record.transaction(durable=False):
                yield
        except Exception as error:
            self._broken = error
            self.queue.wake.set()
            raise

    def _save_or_later(self) -> None:
        try:
            self._save()
        except StoreError as error:
            log.error("ruleset %s: its state can't be saved now: %s", self.ruleset.name, error)

    def _save(self) -> None:
        # First the marks, by themselves: what they say must not be undone with a state that fails.
        self._turns.flush()
        with self._record.transaction(durable=False):
            self._memory.save(self._matcher, self._turns.last)

    def _tell(self, event: Event, text: str) -> None:
        data = {"event_id": event.id, "ruleset": self.ruleset.name}
        self._timeline.tell(Kind.EVENT, text, data=data)
