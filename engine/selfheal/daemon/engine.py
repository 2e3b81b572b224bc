"""The engine: puts the stages together, runs them, and ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from selfheal.actions import ShutdownKind
from selfheal.clock import Clock, SystemClock
from selfheal.config import Project, load_project
from selfheal.daemon.assembly import Hooks, Stages
from selfheal.daemon.current import Current
from selfheal.daemon.leases import reclaim
from selfheal.daemon.loading import Edition, load_edition
from selfheal.daemon.lock import engine_lock, standby_lock
from selfheal.daemon.mailbox import watch_inbox
from selfheal.daemon.options import EndWhen, Options
from selfheal.daemon.rulesets import RunningRulesets
from selfheal.daemon.telling import tell_in_force
from selfheal.errors import ConfigError, Problem, SelfhealError, StoreError
from selfheal.exit_codes import FAILED, OK, OUTCOME_EXITS
from selfheal.model import Kind, Outcome
from selfheal.ports import JSON
from selfheal.recovery import scrub_leftovers
from selfheal.sources import EventLimits, clean_event
from selfheal.store import SqliteRecord, keep_house, open_record
from selfheal.web import serve_api

log = logging.getLogger(__name__)

POLL_SECONDS = 0.05


class Engine:
    """One daemon on one project folder."""

    def __init__(
        self,
        project: Project,
        *,
        rulebooks: Sequence[Path] = (),
        once: bool = False,
        options: Options | None = None,
        out: Callable[[str], None] = lambda text: print(text, flush=True),
        clock: Clock | None = None,
        read: Callable[[], Project] | None = None,
    ) -> None:
        """`read` gives the project as it is by then, to an engine that has stood by; without it
        the folder is read."""
        self._project = project
        self._read = read or (lambda: load_project(project.root))
        self._paths = tuple(rulebooks)
        self._once = once
        self._options = options or Options()
        self._out = out
        self._clock = clock or SystemClock()
        self._end = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._end_delay = project.config.drain_timeout
        self._first_outcome: Outcome | None = None
        self._broken = False
        self._fatal: Exception | None = None
        self._stood_by = False
        self._unread: Exception | None = None
        self._watched: list[asyncio.Task[Any]] = []
        self._reload_later = False
        self._retiring: list[RunningRulesets] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> int:
        """Run until told to end or until every source has ended; return the exit code.

        After standing by it runs on everything as it is then, or, should that be wrong, as it was
        at the start: a human is told. Raises `InputError` when a rulebook or the configuration is
        wrong at the start, `StoreError` when the record can't be used or another engine holds it.
        """
        edition = load_edition(self._project, self._paths, self._options)
        with self._signals():
            async with self._held() as is_ours:
                if not is_ours:
                    return OK
                return await self._on_record(edition)

    @contextlib.asynccontextmanager
    async def _held(self) -> AsyncIterator[bool]:
        """Hold the record against other engines; False: told to end while standing by."""
        state = self._project.state
        if self._options.standby:
            async with standby_lock(state, self._end, self._stand_by) as is_ours:
                yield is_ours
        else:
            with engine_lock(state):
                yield True

    def _stand_by(self, holder: int | None) -> None:
        self._stood_by = True
        log.warning("standing by: the engine with pid %s works here", holder or "unknown")

    async def _on_record(self, edition: Edition) -> int:
        mask = self._options.secrets.mask_document
        record = open_record(self._project.database, self._clock, mask, for_engine=True)
        try:
            return await self._run(edition, record)
        finally:
            record.close()

    async def _run(self, edition: Edition, record: SqliteRecord) -> int:
        self._record = record
        if not (self._stood_by and self._assembled_anew()):
            self._assemble(self._project, edition)
        config, state, parts = self._project.config, self._project.state, self._parts
        async with self._api():
            await self._take_up()
            self._watched = [
                self._spawn(
                    watch_inbox(record, self._handlers(), self._clock, self._message_failed)
                ),
                self._spawn(parts.watchers.run()),
                self._spawn(keep_house(record, state, config.retention, self._clock)),
            ]
            self._tell_in_force("ready", {"pid": os.getpid()})
            if self._reload_later:
                self._spawn(self.reload())
            try:
                await self._until_end()
            except Exception as error:
                await self._break_down(error)
            finally:
                for task in self._watched:
                    task.cancel()
                await self._shut_down()
        record.tell(Kind.ENGINE, "stopped")
        return self._exit_code()

    async def _take_up(self) -> None:
        """Go on with what an earlier engine left; sources are heard after everything else."""
        state, parts = self._project.state, self._parts
        reclaim(self._record, state, self._clock.now())
        parts.notifier.start()
        self._tell_unread()
        parts.watchers.rulebooks_loaded(self._current.edition.rulesets)
        await parts.healer.rulebooks_loaded()
        await parts.runtime.resume()
        # Orphans have been ended, and nothing of ours runs before the next await.
        scrub_leftovers(state, self._options.secrets.mask)
        await parts.healer.resume()
        parts.approvals.withdraw_leftovers()
        await self._rulesets.start(self._source_failed)

    def _api(self) -> contextlib.AbstractAsyncContextManager[Any]:
        config, parts = self._project.config.api, self._parts
        if config is None:
            return contextlib.nullcontext()
        return serve_api(
            config,
            self._record,
            parts.approvals,
            self._options.secrets.mask,
            self._clock,
            links=parts.links,
            root=self._project.root,
        )

    def _assembled_anew(self) -> bool:
        """Assemble what is there after a long wait. False, with the reason kept, when that is
        wrong: at 3 a.m. an engine on its last good reading is worth more than none."""
        at_start = self._project
        try:
            project = self._read()
            if project.state != at_start.state:
                hint = "end both engines, then start them on it"
                raise ConfigError([Problem(f"state is {project.state} now", hint=hint)])
            self._assemble(project, load_edition(project, self._paths, self._options))
        except (SelfhealError, OSError) as error:
            log.error("taking over with everything as it was at the start:\n%s", error)
            self._unread, self._project = error, at_start
            return False
        return True

    def _assemble(self, project: Project, edition: Edition) -> None:
        """Build everything on it; nothing runs yet. Raises SelfhealError for what can't be."""
        self._project, config = project, project.config
        self._end_delay = config.drain_timeout
        self._current = Current(edition, config.rails, config.approval)
        hooks = Hooks(self._out, self._incident_ended, self._shutdown_asked)
        self._parts = Stages(
            project, self._record, self._current, self._options.secrets, self._clock, hooks
        )
        self._rulesets = self._prepared(edition)

    def _tell_unread(self) -> None:
        """Whoever wrote what could not be taken up is to know, before they count on it."""
        if self._unread is None:
            return
        text = "took over with everything as it was when the standby started: it is wrong now"
        body = (
            f"{self._unread}\nCorrect it and restart the engine; for rulebooks, rails and approval "
            "a reload (SIGHUP) is enough."
        )
        with self._record.transaction():
            self._record.tell(Kind.ENGINE, text, data={"problems": _problems(self._unread)})
            self._parts.notifier.post(text, body, {})

    def _prepared(self, edition: Edition) -> RunningRulesets:
        rulesets = RunningRulesets(
            edition, self._project, self._record, self._parts.services, self._options
        )
        rulesets.prepare()
        return rulesets

    async def reload(self) -> None:
        """Take up rulebooks, rails and the policy of approval as they are now, or nothing of it.

        A ruleset whose rules are the same goes on with what it remembers, one that was edited
        begins anew; what has fired is still acted on by the old ones, beside the new. Reloads come
        one after the other: two at once would leave an edition running that nobody knows.
        """
        async with self._reloading:
            try:
                await self._reload()
            except Exception as error:
                self._fatal = error  # no sources hear now: better to end than to be deaf

    async def _reload(self) -> None:
        try:
            config = load_project(self._project.root).config
            edition = load_edition(self._project, self._paths, self._options)
            new = self._prepared(edition)
        except SelfhealError as error:
            problems = _problems(error)
            log.error("reload refused, the running rulebooks stay:\n%s", error)
            text = f"reload refused, the running rulebooks stay: {problems[0]}"
            self._record.tell(Kind.ENGINE, text, data={"problems": problems})
            return
        old = self._rulesets
        await old.stop_sources()
        if self._end.is_set():
            await new.close()
            return  # the shutdown sees to the old ones
        await old.hand_over(new, self._retiring)
        self._retiring.append(old)
        self._current.edition, self._rulesets = edition, new
        self._current.rails, self._current.approval = config.rails, config.approval
        self._parts.approvals.configure(config.approval)
        self._parts.watchers.rulebooks_loaded(edition.rulesets)
        await self._parts.healer.rulebooks_loaded()
        self._parts.gate.changed.set()
        await new.start(self._source_failed)
        self._spawn(self._retire(old))
        self._tell_in_force("reloaded")

    def _tell_in_force(self, what: str, data: JSON | None = None) -> None:
        edition, default = self._current.edition, self._current.rails.autonomy.default
        text = f"{what}: {_counts(edition)}"
        tell_in_force(self._record, text, edition.rulesets, default, data or {})

    async def _retire(self, old: RunningRulesets) -> None:
        """Let what the old rulebooks have accepted be acted on, then end them."""
        await old.settle()
        await old.close()
        self._retiring.remove(old)
        del old
        # Rules, sources and tasks refer to each other: left to the collector's own time, a dozen
        # editions would lie about, and the memory they were spread over is not given back.
        gc.collect()

    async def _until_end(self) -> None:
        """Wait; raises what a part of the engine that must never end has ended by."""
        while not self._end.is_set():
            self._rulesets.check()
            if self._fatal is not None:
                raise self._fatal
            for task in self._watched:
                if task.done():
                    task.result()
            if self._once and self._first_outcome is not None:
                return
            if self._options.end_when is EndWhen.FIRST_SOURCE and self._rulesets.a_source_ended:
                return
            quiet = self._rulesets.idle and self._parts.runtime.idle
            # While a reload is under way its sources have ended, but not for good.
            if self._rulesets.sources_ended and quiet and not self._reloading.locked():
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), POLL_SECONDS)

    async def _break_down(self, error: Exception) -> None:
        """End in the open: an engine that only half works is worse than one that is restarted."""
        log.error("the engine can't go on", exc_info=error)
        self._broken = True
        what = f"{type(error).__name__}: {error}"
        body = f"{what}\nNothing is healed until the engine is started again."
        await self._parts.notifier.notify("the engine can't go on", body, {})

    async def _shut_down(self) -> None:
        """Nothing new first, then what was accepted, then what runs; each within the time left."""
        with contextlib.suppress(StoreError):  # a record that can't be written ends an engine, too
            self._record.tell(Kind.ENGINE, "draining")
        await self._rulesets.stop_sources()
        running = [self._rulesets, *self._retiring]
        try:
            async with asyncio.timeout(self._end_delay):
                # Side by side: no new rung is begun while the rules' actions still run.
                await asyncio.gather(
                    self._parts.runtime.drain(), *(one.settle() for one in running)
                )
        except TimeoutError:
            log.warning("drained for %.0f s; what still runs is ended", self._end_delay)
            await self._parts.runtime.abort()
        left = sum([await one.close() for one in running])
        if left:
            text = f"{left} events or firings are left; the next start takes them up"
            with contextlib.suppress(StoreError):
                self._record.tell(Kind.ENGINE, text)
        await self._parts.notifier.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _exit_code(self) -> int:
        if self._broken:
            return FAILED
        if self._once and self._first_outcome is not None:
            return OUTCOME_EXITS[self._first_outcome]
        failed = self._rulesets.sources_failed and self._rulesets.sources_ended
        return FAILED if failed else OK

    def _handlers(self) -> dict[str, Any]:
        return {
            "emit": self._emitted,
            "reload": lambda payload: self.reload(),
            "rails_changed": self._rails_changed,
            "approval_answered": self._parts.approvals.answered,
        }

    def _message_failed(self, kind: str, why: str) -> None:
        body = f"{why}\nIt is not tried again. Those behind it go on."
        self._parts.notifier.post(f"a message to the engine ({kind}) has failed", body, {})

    async def _rails_changed(self, payload: JSON) -> None:
        self._parts.watchers.fault_changed()
        self._parts.gate.changed.set()

    async def _emitted(self, payload: JSON) -> None:
        limits = EventLimits(max_bytes=self._project.config.max_event_size)
        event = clean_event(payload.get("event"), limits)
        ruleset, origin = str(payload.get("ruleset", "")), str(payload.get("id", ""))
        await self._rulesets.emit(event, ruleset, origin)

    async def _shutdown_asked(self, kind: ShutdownKind, delay: float, message: str) -> None:
        self._end_delay = delay if kind is ShutdownKind.GRACEFUL else 0.0
        self._record.tell(Kind.ENGINE, f"a rule asked to end ({kind.value}): {message}")
        self._end.set()

    @property
    def _rulesets(self) -> RunningRulesets:
        return self._current.rulesets

    @_rulesets.setter
    def _rulesets(self, rulesets: RunningRulesets) -> None:
        self._current.rulesets = rulesets

    def _source_failed(self, why: str) -> None:
        body = f"{why}\nUntil it works again the engine does not hear this source."
        self._spawn(self._parts.notifier.notify("an event source has failed", body, {}))

    def _incident_ended(self, outcome: Outcome) -> None:
        self._first_outcome = self._first_outcome or outcome

    @contextlib.contextmanager
    def _signals(self) -> Any:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_asked)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)
            # There is nothing left to reload, and that is no reason to die of the wish.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _reload_asked(self) -> None:
        """SIGHUP. While the engine starts, or stands by, nothing runs that could be replaced."""
        if self._watched:
            self._spawn(self.reload())
        else:
            self._reload_later = True

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _problems(error: Exception) -> list[str]:
    return [str(one) for one in getattr(error, "problems", [error])]


def _counts(edition: Edition) -> str:
    rulesets = list(edition.rulesets)
    rules = sum(len(one.rules) for one in rulesets)
    sources = sum(len(one.sources) for one in rulesets)
    return (
        f"{len(edition.rulebooks)} rulebooks, {rules} rules, {sources} sources, "
        f"{len(edition.solutions)} solutions"
    )
