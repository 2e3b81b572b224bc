"""The rulesets of one edition at work: sources feed loops, loops feed dispatchers."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

from selfheal.actions import Dispatcher, Services
from selfheal.actions.display import banner, pretty
from selfheal.config import Project
from selfheal.daemon.host_facts import gather_host_facts
from selfheal.daemon.journal_queue import GroupCommit, JournalQueue
from selfheal.daemon.loading import Edition, ReadySource
from selfheal.daemon.options import Options
from selfheal.daemon.ruleset_loop import RulesetLoop
from selfheal.errors import ExecutionError, NotFoundError, SourceError, StoreError
from selfheal.filters import apply_filters
from selfheal.model import Kind, Ruleset
from selfheal.ports import JSON, Journal
from selfheal.rules import build_matcher
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
        journal: Journal,
        services: Services,
        options: Options,
    ) -> None:
        self._edition = edition
        self._project = project
        self._journal = journal
        self._services = services
        self._options = options
        self._timeline = services.timeline
        self._clock = services.clock
        self._loops: dict[str, RulesetLoop] = {}
        self._dispatchers: dict[str, Dispatcher] = {}
        self._loop_tasks: list[asyncio.Task[None]] = []
        self._source_tasks: list[asyncio.Task[None]] = []
        self.sources_failed = 0
        """Sources that could not be started, or gave up."""

    def prepare(self) -> None:
        """Build every ruleset; nothing runs yet. Raises SelfhealError for what can't be built."""
        commit = GroupCommit(self._journal)
        for ruleset in self._edition.rulesets:
            self._build_loop(ruleset, commit)

    async def start(self, source_failed: Callable[[str], None]) -> None:
        """Start every ruleset, with the facts of its hosts if it wants them, then every source."""
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

    async def emit(self, event: JSON, ruleset: str) -> None:
        """Take in an event from outside the sources, for one ruleset or for all."""
        for loop in [self.loop(ruleset)] if ruleset else list(self._loops.values()):
            await loop.queue.put(event)

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

    async def close(self) -> int:
        """End everything, finished or not; return how much of what was accepted was not done."""
        await self.stop_sources()
        await _cancel(self._loop_tasks)
        waiting = sum(len(loop.queue) for loop in self._loops.values())
        return waiting + sum([await one.close() for one in self._dispatchers.values()])

    def _build_loop(self, ruleset: Ruleset, commit: GroupCommit) -> None:
        config = self._project.config
        dispatcher = Dispatcher(ruleset, self._services)
        loop = RulesetLoop(
            ruleset,
            build_matcher(ruleset, config.vars, self._clock, config.join_engine),
            JournalQueue(ruleset.name, commit, self._clock, config.queue_size),
            dispatcher.act,
            self._timeline,
            self._clock,
            self._show if self._options.print_events else lambda event: None,
        )
        self._dispatchers[ruleset.name] = dispatcher
        self._loops[ruleset.name] = loop

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
            await self._loops[ruleset.name].assert_fact(fact)

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
        _, deaf = await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
        for task in deaf:
            log.error("%s does not end; it is left behind", task.get_name())
