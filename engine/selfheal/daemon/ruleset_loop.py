"""One ruleset at work: events, facts and timers in, firings out, in one order."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from selfheal.clock import Clock
from selfheal.daemon.journal_queue import JournalQueue
from selfheal.model import Event, Firing, Kind, Ruleset, new_id
from selfheal.ports import JSON, Matcher, Timeline

log = logging.getLogger(__name__)

MAX_TOLD_BYTES = 16 * 1024
"""Of what fired a rule, in the timeline; as JSON."""

Act = Callable[[Firing], Awaitable[None]]
"""Hand a firing to the actions; waits while too much is under way."""


class RulesetLoop:
    """Owns the matcher of one ruleset: everything that may fire a rule goes through here."""

    def __init__(
        self,
        ruleset: Ruleset,
        matcher: Matcher,
        queue: JournalQueue,
        act: Act,
        timeline: Timeline,
        clock: Clock,
        show: Callable[[JSON], None] = lambda event: None,
    ) -> None:
        self.ruleset = ruleset
        self.queue = queue
        self._matcher = matcher
        self._act = act
        self._timeline = timeline
        self._clock = clock
        self._show = show
        # Events that actions post stand in a lane of their own: an action that waited for room
        # in the queue, while the loop waited for the action, would wait for ever.
        self._posted: deque[JSON] = deque()
        self._busy = False
        self.matched = 0
        """Events that fired a rule."""
        self.seen = 0
        """Events that were matched at all."""

    @property
    def idle(self) -> bool:
        """True when nothing waits here."""
        return not self._busy and self.queue.empty and not self._posted

    def facts(self) -> list[JSON]:
        """Return the facts that stand."""
        return self._matcher.facts()

    async def post(self, event: JSON) -> None:
        """Match an event an action made."""
        self._posted.append(event)
        self.queue.wake.set()

    async def assert_fact(self, fact: JSON) -> None:
        """Keep a fact and act on what fires."""
        await self._fire(self._matcher.assert_fact(fact), None)
        self.queue.wake.set()  # a timer of the fact may be due before the one that is waited for

    async def retract_fact(self, fact: JSON, partial: bool = True) -> None:
        """Forget facts and act on what fires."""
        await self._fire(self._matcher.retract_fact(fact, partial=partial), None)
        self.queue.wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                self._busy = True
                self.queue.wake.clear()
                await self._work()
                self._busy = False
                await self._rest()
        finally:
            self._matcher.close()

    async def _work(self) -> None:
        """Do what there is to do: timers first, then what actions posted, then new events."""
        while True:
            await self._fire(self._matcher.tick(), None)
            if self._posted:
                await self._match(self._posted.popleft(), None)
            elif (event := self.queue.take()) is not None:
                await self._match(event.body, event)
            else:
                return

    async def _rest(self) -> None:
        """Return when something new arrives or a timer is due."""
        due = self._matcher.due()
        alarm = asyncio.create_task(self._ring(due)) if due is not None else None
        try:
            await self.queue.wake.wait()
        finally:
            if alarm is not None:
                alarm.cancel()

    async def _ring(self, due: float) -> None:
        await self._clock.sleep(due - self._clock.monotonic())
        self.queue.wake.set()

    async def _match(self, body: JSON, event: Event | None) -> None:
        self.seen += 1
        self._show(body)
        try:
            firings = self._matcher.event(body, event.id if event else "")
        except Exception:
            # One event that breaks the matcher must not stop the others; it stays in the journal.
            log.exception("ruleset %s: an event could not be matched", self.ruleset.name)
            self._timeline.tell(
                Kind.EVENT,
                "an event could not be matched; see the log",
                data={"event_id": event.id if event else "", "ruleset": self.ruleset.name},
            )
            return
        await self._fire(firings, event)

    async def _fire(self, firings: list[Firing], event: Event | None) -> None:
        if firings and event is not None:
            self.matched += 1
            self._timeline.tell(
                Kind.EVENT,
                f"{event.source}: {_short(event.body)}",
                data={"event_id": event.id, "ruleset": self.ruleset.name},
            )
        for fired in firings:
            firing = replace(fired, id=new_id("fi"))
            self._timeline.tell(
                Kind.RULE,
                f"rule “{firing.rule}” of “{firing.ruleset}” fired",
                data={
                    "firing": firing.id,
                    "ruleset": firing.ruleset,
                    "rule": firing.rule,
                    "event_ids": list(firing.event_ids),
                    "matches": _bounded(firing.matches),
                },
            )
            await self._act(firing)


def _bounded(matches: Mapping[str, JSON]) -> dict[str, Any]:
    """What matched, for the record: the journal has no facts, and nothing the rules added.

    A message larger than the limit is left out; an event among them is in the journal."""
    room, kept = MAX_TOLD_BYTES, dict[str, Any]()
    for alias, body in matches.items():
        room -= len(json.dumps(body))
        kept[alias] = body if room >= 0 else None
    return kept


def _short(body: JSON) -> str:
    text = str({key: value for key, value in body.items() if key != "meta"})
    text = "".join(char if char.isprintable() else " " for char in text)
    return text if len(text) <= 160 else f"{text[:159]}…"
