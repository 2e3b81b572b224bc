"""The queue in front of a ruleset: an event is on disk before its source may acknowledge it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from selfheal.daemon.room import Room
from selfheal.daemon.ruleset_clock import RulesetClock
from selfheal.errors import ActionError, NotFoundError
from selfheal.model import Event, InputKind, new_id
from selfheal.ports import JSON, Journal

MOST_BYTES = 64 * 1024 * 1024
"""Of the events that may wait for one ruleset, as JSON; their number is bounded as well."""
MOST_POSTED = 1000
"""Events that actions posted and that may wait for one ruleset."""

Landed = Callable[[bool], None]
"""Called at once when an event is on disk (True) or could not be written (False)."""


class GroupCommit:
    """Writes the events of all sources in as few transactions as the disk allows.

    While one batch is being committed the next gathers: a storm costs few syncs, a single event
    waits for one.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[tuple[Event, Landed, asyncio.Future[None]]] = []

    async def add(self, event: Event, landed: Landed) -> None:
        """Return when `event` is on disk; raises StoreError when it can't be.

        `landed` is called in order of the calls, also when the caller no longer waits."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, landed, written))
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._commit)
        await written

    def _commit(self) -> None:
        batch, self._waiting = self._waiting, []
        try:
            self._journal.add([event for event, _, _ in batch])
        except Exception as error:  # each waiting source must hear of it
            for _, landed, written in batch:
                landed(False)
                if not written.done():
                    written.set_exception(error)
            return
        for _, landed, written in batch:
            landed(True)
            if not written.done():
                written.set_result(None)


@dataclass(slots=True)
class _Newest:
    """The newest of the queues that followed each other. All know only it: a queue that knew its
    successor would keep alive, as long as anybody holds it, every one that ever came after it."""

    queue: JournalQueue


class JournalQueue:
    """An `EventQueue`: journals, then hands over; waits while the ruleset is behind.

    What actions post stands in a lane of its own, which takes turns with the other: an action
    that waited for room, while the ruleset waits for the action, would wait for ever.
    """

    def __init__(
        self,
        ruleset: str,
        journal: Journal,
        commit: GroupCommit,
        clock: RulesetClock,
        size: int,
    ) -> None:
        self._ruleset = ruleset
        self._journal = journal
        self._commit = commit
        self._clock = clock
        self._room = Room(size, MOST_BYTES)
        self._outside: deque[tuple[Event, int]] = deque()
        self._posted: deque[Event] = deque()
        self._posted_next = False
        self._ended = False
        self._newest = _Newest(self)
        self.wake = asyncio.Event()
        """Set whenever there is something new to do for the ruleset."""

    async def put(self, event: JSON, origin: str = "") -> None:
        """See `ports.EventQueue`. What came of that origin before is not taken in again."""
        if origin and self._journal.has_origin(origin):
            return
        size = len(json.dumps(event))
        await self._room.enter(size)
        if self._ended:
            await self._successor().put(event, origin)
            return
        noun = self.noun(event, InputKind.EVENT, origin)
        await self._commit.add(noun, lambda written: self._land(noun, size, written))

    async def post(self, event: JSON, origin: str) -> None:
        """Take in what an action made; what it made before it was repeated is not taken again.

        Raises ActionError when too many wait: a rule that posts what it matches ends there."""
        if self._ended:
            await self._successor().post(event, origin)
            return
        if self._journal.has_origin(origin):
            return
        if len(self._posted) >= MOST_POSTED:
            raise ActionError(
                f"{len(self._posted)} posted events wait for ruleset {self._ruleset!r} already, "
                "this one is refused; does a rule post what it matches?"
            )
        noun = self.noun(event, InputKind.POSTED, origin)
        await self._commit.add(noun, lambda written: self._land_posted(noun, written))

    def noun(
        self, body: JSON, kind: InputKind, origin: str = "", meta: JSON | None = None
    ) -> Event:
        """Return what is shown to the ruleset, as of now."""
        return Event(
            id=new_id("ev"),
            source=_source_name(body),
            received_at=self._clock.now(),
            body=body,
            meta=meta or {},
            ruleset=self._ruleset,
            kind=kind,
            moment=self._clock.read(),
            origin=origin,
        )

    def load(self, events: Iterable[Event]) -> None:
        """Take over what is in the journal already, in that order, room or not."""
        for event in events:
            if event.kind is InputKind.EVENT:
                size = len(json.dumps(event.body))
                self._room.enter_now(size)
                self._outside.append((event, size))
            else:
                self._posted.append(event)
        self.wake.set()

    def take(self) -> Event | None:
        """Return the next event, None when there is none; the two lanes take turns."""
        posted = self._posted and (self._posted_next or not self._outside)
        self._posted_next = not posted
        if posted:
            return self._posted.popleft()
        if not self._outside:
            return None
        event, size = self._outside.popleft()
        self._room.leave(size)
        return event

    def end(self) -> None:
        """Give nothing out any more; what waits stays in the journal."""
        self._ended = True
        self._outside.clear()
        self._posted.clear()
        self._room.open()

    def hand_to(self, heir: JournalQueue) -> None:
        """What still comes goes to that queue, and to the one that it is handed to."""
        self._newest.queue = heir
        heir._newest = self._newest

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._outside) + len(self._posted)

    @property
    def empty(self) -> bool:
        """True when nothing waits."""
        return not len(self)

    def _land(self, event: Event, size: int, written: bool) -> None:
        if not written or self._ended:
            self._room.leave(size)
        if written and self._ended:
            self._pass_on(event)
        elif written:
            self._outside.append((event, size))
            self.wake.set()

    def _land_posted(self, event: Event, written: bool) -> None:
        if written and self._ended:
            self._pass_on(event)
        elif written:
            self._posted.append(event)
            self.wake.set()

    def _pass_on(self, event: Event) -> None:
        # Without an heir it stays in the journal for the next start.
        if self._newest.queue is not self:
            self._newest.queue.load([event])

    def _successor(self) -> JournalQueue:
        if self._newest.queue is self:
            raise NotFoundError(f"ruleset {self._ruleset!r} is at work no longer")
        return self._newest.queue


def _source_name(event: JSON) -> str:
    meta: Any = event.get("meta")
    source = meta.get("source") if isinstance(meta, Mapping) else None
    name = source.get("name") if isinstance(source, Mapping) else None
    return str(name or "unknown")
