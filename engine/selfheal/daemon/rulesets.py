"""The rulesets of one edition at work: sources feed loops, loops feed dispatchers.

A start goes: what each matcher knew, then what was matched after that, shown again in silence;
firings that an earlier engine left; events that were accepted and not matched; then the sources.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Any

from selfheal.actions import Dispatcher, Services
from selfheal.actions.display import banner, pretty
from selfheal.config import Project
from selfheal.daemon.host_facts import gather_host_facts
from selfheal.daemon.journal_queue import GroupCommit, JournalQueue
from selfheal.daemon.loading import Edition, ReadySource
from selfheal.daemon.options import Options
from selfheal.daemon.restoring import Memory
from selfheal.daemon.ruleset_clock import RulesetClock
from selfheal.daemon.ruleset_loop import RulesetLoop
from selfheal.errors import ExecutionError, NotFoundError, SourceError, StoreError
from selfheal.filters import apply_filters
from selfheal.model import Event, FiringState, Kind, Ruleset, Unfinished
from selfheal.ports import JSON, Matcher, Record
from selfheal.rules import build_matcher, rules_digest
from selfheal.sources import EventLimits, ReportKind, SourceReport, run_source

log = logging.getLogger(__name__)

POLL_SECONDS = 0.02
CANCEL_SECONDS = 5.0
FAILURES_TO_TELL = 3
"""So often a source may fail in a row before a human is told; once is a hiccup."""


class RunningRulesets:
    """Starts, addresses and stops the rulesets of one edition."""

    def __init__(
        self,
        edition: Edition,
        project: Project,
        record: Record,
        services: Services,
        options: Options,
    ) -> None:
        self._edition = edition
        self._project = project
        self._record = record
        self._services = services
        self._options = options
        self._timeline = services.timeline
        self._clock = services.clock
        self._loops: dict[str, RulesetLoop] = {}
        self._dispatchers: dict[str, Dispatcher] = {}
        self._matchers: dict[str, tuple[Matcher, Callable[[], Matcher]]] = {}
        self._restored = False
        self._telling: set[asyncio.Task[None]] = set()
        self._loop_tasks: list[asyncio.Task[None]] = []
        self._source_tasks: list[asyncio.Task[None]] = []
        self.sources_failed = 0
        """Sources that could not be started, or gave up."""

    def prepare(self) -> None:
        """Build every ruleset; nothing runs yet. Raises SelfhealError for what can't be built."""
        commit = GroupCommit(self._record)
        for ruleset in self._edition.rulesets:
            self._build_loop(ruleset, commit)

    def restore(self, under_way: Collection[str] = ()) -> None:
        """Take up what the record says was left; firings `under_way` are in somebody's hands."""
        self._restored = True
        note = "no ruleset of that name is there any more"
        if given_up := self._record.give_up_unmatched(list(self._loops), note):
            self._timeline.tell(Kind.ENGINE, f"{given_up} accepted events are left out: {note}")
        for name, loop in self._loops.items():
            if lost := loop.restore(*self._matchers.pop(name)):
                text = f"ruleset {name}: {lost}"
                self._timeline.tell(Kind.ENGINE, text, data={"ruleset": name})
        for left in self._record.unfinished_firings():
            if left.firing.id not in under_way:
                self._resume(left)

    async def start(self, source_failed: Callable[[str], None]) -> None:
        """Start every ruleset, with the facts of its hosts if it wants them, then every source."""
        if not self._restored:
            self.restore()
        for name, loop in self._loops.items():
            self._loop_tasks.append(asyncio.create_task(loop.run(), name=f"ruleset {name}"))
        for ruleset in self._edition.rulesets:
            if ruleset.gather_facts:
                await self._gather_facts(ruleset)
        for name, sources in self._edition.sources.items():
            for source in sources:
                task = asyncio.create_task(
                    self._run_source(source, name, source_failed),
                    name=f"source {source.spec.name}",
                )
                self._source_tasks.append(task)

    def loop(self, name: str) -> RulesetLoop:
        """Return the loop of one ruleset. Raises NotFoundError."""
        try:
            return self._loops[name]
        except KeyError:
            known = ", ".join(self._loops) or "none"
            raise NotFoundError(f"no ruleset is named {name!r}; there are: {known}") from None

    async def emit(self, event: JSON, ruleset: str, origin: str) -> None:
        """Take in an event from outside the sources, for one ruleset or for all; with an origin
        once each."""
        # A reload may come between: what these queues are given then goes to their heirs.
        loops = [self.loop(ruleset)] if ruleset else list(self._loops.values())
        for loop in loops:
            await loop.queue.put(event, origin and f"{origin}:{loop.ruleset.name}")

    def facts(self, ruleset: str) -> Sequence[JSON]:
        """Return the facts that stand in a ruleset."""
        return self.loop(ruleset).facts()

    @property
    def sources_ended(self) -> bool:
        """True when no source will ever bring an event again, and there was one."""
        return bool(self._source_tasks) and all(task.done() for task in self._source_tasks)

    @property
    def a_source_ended(self) -> bool:
        """True when one source will never bring an event again."""
        return any(task.done() for task in self._source_tasks)

    @property
    def idle(self) -> bool:
        """True when nothing waits or runs in any ruleset."""
        return all(one.idle for one in self._loops.values()) and all(
            one.idle for one in self._dispatchers.values()
        )

    @property
    def under_way(self) -> set[str]:
        """Ids of the firings that are acted on here."""
        return {each for one in self._dispatchers.values() for each in one.under_way}

    def check(self) -> None:
        """Raise what ended a ruleset's loop, which works until it is cancelled, or a source that
        could not even say why."""
        for task in [*self._loop_tasks, *self._source_tasks]:
            if task.done() and not task.cancelled():
                task.result()

    async def stop_sources(self) -> None:
        """Take nothing more in."""
        await _cancel(self._source_tasks)

    async def settle(self) -> None:
        """Return when everything taken in has been matched and acted on."""
        while not self.idle:
            await self._clock.sleep(POLL_SECONDS)

    async def hand_over(self, new: RunningRulesets, retiring: Collection[RunningRulesets]) -> None:
        """Let other rulesets go on where these are; what has fired is still acted on here, or by
        those that these had replaced."""
        await self.stop_sources()
        await _cancel(self._loop_tasks)
        # From here on nothing else runs until the new ones know all that is on record.
        self._end_loops()
        new.restore(set[str]().union(*(one.under_way for one in (self, *retiring))))
        for name, loop in self._loops.items():
            if name in new._loops:
                loop.queue.hand_to(new._loops[name].queue)
        self._loops.clear()
        self._loop_tasks.clear()

    async def close(self) -> int:
        """End everything, finished or not; return how much is left for the next engine to do."""
        await self.stop_sources()
        await _cancel(self._loop_tasks)
        waiting = sum(loop.waiting for loop in self._loops.values())
        unfinished = sum([await one.close() for one in self._dispatchers.values()])
        self._end_loops()
        await asyncio.gather(*self._telling)
        return waiting + unfinished

    def _end_loops(self) -> None:
        for loop in self._loops.values():
            if self._restored:
                loop.end()
        for matcher, _ in self._matchers.values():
            matcher.close()

    def _build_loop(self, ruleset: Ruleset, commit: GroupCommit) -> None:
        config, name = self._project.config, ruleset.name
        clock = RulesetClock(self._clock)
        build = functools.partial(build_matcher, ruleset, config.vars, clock, config.join_engine)
        self._matchers[name] = build(), build
        self._dispatchers[name] = Dispatcher(ruleset, self._services)
        self._loops[name] = RulesetLoop(
            ruleset,
            JournalQueue(name, self._record, commit, clock, config.queue_size),
            self._dispatchers[name],
            self._record,
            self._timeline,
            clock,
            Memory(name, rules_digest(ruleset, config.vars), self._record, clock),
            show=self._show if self._options.print_events else lambda event: None,
            gave_up=self._left_out,
        )

    def _resume(self, left: Unfinished) -> None:
        """Act on what an earlier engine left, if the rule still says the same."""
        firing = left.firing
        dispatcher = self._dispatchers.get(firing.ruleset)
        if dispatcher is not None and dispatcher.knows(left):
            dispatcher.resume(left)
            return
        note = "its rule is gone, or has other actions now"
        with self._record.transaction():
            self._record.end_firing(firing.id, FiringState.DROPPED, note)
            text = (
                f"rule “{firing.rule}” of “{firing.ruleset}” had fired and is not acted on: {note}"
            )
            self._timeline.tell(Kind.RULE, text, data={"firing": firing.id})
        done = ", ".join(left.actions[: left.next_action]) or "nothing"
        begun = f" Begun, and its end is unknown: {left.actions[left.next_action]}."
        body = f"Its actions: {', '.join(left.actions)}. Ended: {done}."
        self._tell_human(text, body + (begun if left.begun else ""))

    def _left_out(self, event: Event) -> None:
        text = f"an event of ruleset “{event.ruleset}” is left out"
        self._tell_human(text, f"{event.id}: the engine ended each time it was to be matched.")

    def _tell_human(self, subject: str, body: str) -> None:
        task = asyncio.create_task(self._told(subject, body))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _told(self, subject: str, body: str) -> None:
        await self._services.human(subject, body, {})

    def _show(self, event: JSON) -> None:
        banner(self._services.out, self._clock, "event received", pretty(event))

    async def _gather_facts(self, ruleset: Ruleset) -> None:
        try:
            facts = await gather_host_facts(self._services.runner, ruleset.hosts)
        except ExecutionError as error:
            text = f"no facts for ruleset {ruleset.name}: {error}"
            log.error("%s", text)
            self._timeline.tell(Kind.ENGINE, text, data={"ruleset": ruleset.name})
            return
        for fact in facts:
            await _renew(self._loops[ruleset.name], fact)

    async def _run_source(
        self, ready: ReadySource, ruleset: str, failed: Callable[[str], None]
    ) -> None:
        config = self._project.config
        try:
            await run_source(
                ready.spec,
                ready.source,
                self._loops[ruleset].queue,
                variables=config.vars,
                pipeline=functools.partial(apply_filters, ready.filters),
                report=functools.partial(self._tell, ruleset, failed),
                limits=EventLimits(max_bytes=config.max_event_size),
                clock=self._clock,
            )
        except SourceError as error:
            self.sources_failed += 1
            data = {"ruleset": ruleset, "source": ready.spec.name}
            self._timeline.tell(Kind.SOURCE, str(error), data=data)
            failed(str(error))

    def _tell(self, ruleset: str, failed: Callable[[str], None], report: SourceReport) -> None:
        log.info("%s", report.text)
        data: dict[str, Any] = {"ruleset": ruleset, "source": report.source}
        data |= {"kind": report.kind.value, "count": report.count}
        try:
            self._timeline.tell(Kind.SOURCE, report.text, data=data)
        except StoreError as error:
            # A record that can't be written for a moment must not end the source for ever.
            log.error("not on record: %s: %s", report.text, error)
        if report.kind is ReportKind.FAILED and report.count == FAILURES_TO_TELL:
            failed(report.text)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel and wait a while: somebody else's source may not listen."""
    for task in tasks:
        task.cancel()
    if tasks:
        done, deaf = await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
        for task in done:
            _let_go(task)
        for task in deaf:
            log.error("%s does not end; it is left behind", task.get_name())


def _let_go(task: asyncio.Task[None]) -> None:
    """Take the cancellation out of a task: a task that keeps it keeps, by its traceback, whoever
    keeps the task, and the garbage collector does not see into it."""
    if task.cancelled():
        with contextlib.suppress(asyncio.CancelledError):
            task.result()


async def _renew(loop: RulesetLoop, fact: JSON) -> None:
    """Put a host's facts in the place of those an earlier engine gathered."""
    old = [one for one in loop.facts() if one.get("meta") == fact["meta"]]
    if fact not in old:
        await loop.assert_fact(fact)
    for each in old:
        if each != fact:
            await loop.retract_fact(each, partial=False)
