"""Playbooks by ansible-runner: one run, one thread, and nothing left behind when it is ended."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from selfheal.clock import Clock, SystemClock
from selfheal.duration import format_duration
from selfheal.errors import ExecutionError
from selfheal.model import PlaybookRequest, PlaybookResult, StepState, TaskResult
from selfheal.recovery.executors.artifacts import mark_stopped, read_artifact
from selfheal.recovery.executors.command import RunFolder, Site, find_program
from selfheal.recovery.executors.events import EventLog
from selfheal.recovery.executors.inventory import INVENTORY_RUN, InventoryHosts
from selfheal.recovery.executors.processes import (
    end_forks_with_us,
    marked_runs,
    processes_of,
    signal_run,
    stuck_forks,
)
from selfheal.recovery.executors.scrub import is_held

_log = logging.getLogger(__name__)
_REAL = SystemClock()  # processes take real time to die, whatever clock the engine is given
_POLL = 0.05
_MOMENT = 1.0  # seconds in which ansible-runner notices that Ansible has ended
T = TypeVar("T")


def find_ansible_playbook(executable: str = "") -> str:
    """Return the `ansible-playbook` that runs use. Raises ExecutionError when there is none."""
    return find_program("ansible-playbook", executable)


class AnsibleRunner:
    """Implements `ports.PlaybookRunner`.

    `project` is the folder that holds `ansible.cfg`; playbooks are looked for in `playbooks`
    (default `<project>/playbooks`), then in `project`. Artifacts are kept, private to the user,
    in `<state>/runner/artifacts/<ident>`. `executable` names the `ansible-playbook` to use;
    empty: the one beside our Python, else the one on PATH. `environment` is added to the run's.
    A missing `inventory` is an error where it is required, and else means that there is none.
    A run that is to end gets SIGTERM, and SIGKILL after `grace` seconds. What a run tells, and what
    it leaves on disk, goes through `mask`.
    """

    def __init__(
        self,
        project: Path,
        state: Path,
        *,
        playbooks: Path | None = None,
        inventory: Path | None = None,
        inventory_required: bool = False,
        executable: str = "",
        environment: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        grace: float = 5.0,
        mask: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self._site = Site(
            project=Path(project).absolute(),
            playbooks=Path(playbooks or Path(project) / "playbooks").absolute(),
            inventory=Path(inventory or Path(project) / "inventory").absolute(),
            private=Path(state).absolute() / "runner",
            executable=executable,
            environment=dict(environment or {}),
            inventory_required=inventory_required,
            mask=mask,
        )
        self._clock = clock or SystemClock()
        self._grace = grace
        self._running: dict[str, _Run] = {}
        self._inventory = InventoryHosts(self._site)
        end_forks_with_us()

    async def run(
        self, request: PlaybookRequest, on_task: Callable[[TaskResult], None] | None = None
    ) -> PlaybookResult:
        """See `ports.PlaybookRunner.run`."""
        run = self._running[request.ident] = _Run(request, self._site, on_task)
        try:
            return await self._run(run)
        finally:
            del self._running[request.ident]
            run.close()

    async def cancel(self, ident: str) -> bool:
        """See `ports.PlaybookRunner.cancel`."""
        if run := self._running.get(ident):
            run.stop.set()
        return run is not None

    def find_artifact(self, ident: str) -> PlaybookResult | None:
        """Return how the run `ident` ended as its artifacts show; None when they do not."""
        return read_artifact(self._site.artifacts(ident), ident)

    async def end_orphans(self, living: Collection[str]) -> Mapping[str, int]:
        """See `ports.PlaybookRunner.end_orphans`."""
        runs = await asyncio.to_thread(marked_runs, self._site.private / "artifacts")
        ours = {*living, *self._running, INVENTORY_RUN}
        # A run by hand may have begun since `living` was read from the record.
        orphans = {
            ident: count
            for ident, count in runs.items()
            if ident not in ours and not is_held(self._site.artifacts(ident))
        }
        await asyncio.gather(*(self.end_processes(ident) for ident in orphans))
        return orphans

    async def end_processes(self, ident: str) -> None:
        """End every process of a run that nobody waits for any more."""
        await self._end(ident)

    async def hosts(self, inventory: str = "") -> frozenset[str]:
        """Return the names of all hosts of that inventory (empty: the project's); none only where
        there is no inventory.

        Raises ExecutionError when Ansible can't read it, or it names no host."""
        return await self._inventory.hosts(inventory)

    async def hosts_of(self, pattern: str, inventory: str = "") -> tuple[str, ...]:
        """Return the hosts that an Ansible pattern means, sorted by name.

        Raises ExecutionError when Ansible can't read the inventory or the pattern."""
        return await self._inventory.hosts_of(pattern, inventory)

    async def groups(self, inventory: str = "") -> Mapping[str, frozenset[str]]:
        """Return each group's hosts, those of its children included; `all` and `ungrouped` are
        not told.

        Raises ExecutionError when Ansible can't read the inventory."""
        return await self._inventory.groups(inventory)

    async def _run(self, run: _Run) -> PlaybookResult:
        started_at = self._clock.now()
        work = run.start()
        try:
            stopped = await self._first(run, work)
        except asyncio.CancelledError:
            run.stop.set()
            await _uninterrupted(self._end(run.ident, work))
            self._note_stop(run, work, StepState.CANCELLED)
            raise
        if stopped is None or await self._has_just_ended(run, work, stopped):
            return await self._ended_by_itself(run, work, started_at)
        run.stop.set()  # also when the time is over: what is still being prepared must not begin
        left = await _uninterrupted(self._end(run.ident, work))
        self._note_stop(run, work, stopped)
        if work.done() and not run.started:
            work.exception()  # says the same, whatever ended the preparation
            raise ExecutionError(f"{stopped.value} before Ansible was started")
        return self._unfinished(run, stopped, started_at, _stop_message(run, stopped, left))

    async def _first(self, run: _Run, work: asyncio.Future[int]) -> StepState | None:
        """Wait for the end, the time limit or a cancel; return None for the end."""
        timer = asyncio.ensure_future(self._clock.sleep(run.request.timeout))
        stop = asyncio.ensure_future(run.stop.wait())
        try:
            ends: set[asyncio.Future[Any]] = {work, timer, stop}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            stop.cancel()
        if work.done():
            return None
        return StepState.CANCELLED if run.stop.is_set() else StepState.TIMEOUT

    async def _has_just_ended(
        self, run: _Run, work: asyncio.Future[int], stopped: StepState
    ) -> bool:
        """Tell whether Ansible was done before its time was over, and only we are late: an engine
        that was stopped for a while sees both at once."""
        if stopped is not StepState.TIMEOUT or not run.started:
            return False
        if await asyncio.to_thread(processes_of, str(self._site.artifacts(run.ident))):
            return False
        await asyncio.wait({work}, timeout=_MOMENT)
        return work.done()

    async def _ended_by_itself(
        self, run: _Run, work: asyncio.Future[int], started_at: float
    ) -> PlaybookResult:
        try:
            rc = work.result()
        except ExecutionError:
            raise
        except Exception as error:
            # ansible-runner itself gave up; the playbook may still be running.
            _log.exception("ansible-runner failed in run %s", run.ident)
            await _uninterrupted(self._end(run.ident, work))
            message = f"ansible-runner failed: {type(error).__name__}: {error}".splitlines()[0]
            return self._unfinished(run, StepState.UNKNOWN, started_at, message)
        return run.log.result(
            run.ident,
            rc,
            started_at,
            self._clock.now(),
            limit=run.request.limit,
            output=run.folder.output(),
        )

    async def _end(self, ident: str, work: asyncio.Future[int] | None = None) -> set[int]:
        """End every process of the run, and its thread; return those that could not be ended."""
        mark = str(self._site.artifacts(ident))
        told: set[int] = set()
        kill_at = _REAL.monotonic() + self._grace
        while True:
            pids = await asyncio.to_thread(processes_of, mark)
            now = _REAL.monotonic()
            over = not pids and (work is None or work.done())
            if over or now > kill_at + self._grace + 5:
                return pids
            if now < kill_at:
                signal_run(pids - told, signal.SIGTERM)
                told |= pids
            else:
                signal_run(pids | await asyncio.to_thread(stuck_forks), signal.SIGKILL)
            await _REAL.sleep(_POLL)

    def _note_stop(self, run: _Run, work: asyncio.Future[int], state: StepState) -> None:
        if work.done():
            work.exception()  # a run that was ended may well have failed; that is no news
        mark_stopped(self._site.artifacts(run.ident), state)

    def _unfinished(
        self, run: _Run, state: StepState, started_at: float, message: str
    ) -> PlaybookResult:
        return PlaybookResult(
            ident=run.ident,
            state=state,
            rc=None,
            started_at=started_at,
            ended_at=self._clock.now(),
            tasks=tuple(run.log.tasks),
            stats=run.log.stats,
            message=message,
            facts=run.log.facts,
        )


class _Run:
    """One run under way: its thread, its events, and the wish to stop it."""

    def __init__(
        self,
        request: PlaybookRequest,
        site: Site,
        on_task: Callable[[TaskResult], None] | None,
    ) -> None:
        self.request = request
        self.ident = request.ident
        self.folder = RunFolder(site, request)
        self.log = EventLog()
        self.stop = asyncio.Event()
        self.started = False
        """Ansible may have been started."""
        self._on_task = on_task
        self._loop = asyncio.get_running_loop()
        # A thread of its own: the run's parent-death signal is tied to the thread's life.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"ansible-{self.ident}")

    def start(self) -> asyncio.Future[int]:
        """Begin; the future brings Ansible's rc, negative when a signal killed it."""
        return self._loop.run_in_executor(self._thread, self._work)

    def close(self) -> None:
        """Let go of the thread, which has scrubbed the folder, or does when the run ends."""
        self._thread.shutdown(wait=False)

    def _work(self) -> int:
        try:
            return self._prepare_and_run()
        finally:
            self.folder.scrub()

    def _prepare_and_run(self) -> int:
        try:
            runner = self.folder.prepare(self._take)
        except OSError as error:
            raise ExecutionError(f"the run can't be prepared: {error}") from error
        if self.stop.is_set():
            raise ExecutionError("cancelled before Ansible was started")
        self.started = True
        runner.run()
        return -1 if runner.rc is None else int(runner.rc)

    def _take(self, event: dict[str, Any]) -> bool:
        try:
            task = self.log.take(self.folder.mask(event))
        except Exception:
            _log.exception("run %s: an event of ansible-runner can't be read", self.ident)
            return True
        if task and self._on_task:
            self._loop.call_soon_threadsafe(self._on_task, task)
        return True


def _stop_message(run: _Run, state: StepState, left: set[int]) -> str:
    if state is StepState.TIMEOUT:
        message = f"ended after its time limit of {format_duration(run.request.timeout)}"
    else:
        message = "cancelled"
    if left:
        message += f"; these processes could not be ended: {sorted(left)}"
    return message


async def _uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Await to the end even when cancelled meanwhile; then pass the cancellation on."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled
    return task.result()
