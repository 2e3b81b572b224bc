"""Runs the actions of the firings of one ruleset, and keeps on record how far each has come."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import cast

from selfheal.actions.context import ActionResult, Services
from selfheal.actions.course import Course
from selfheal.model import ExecutionStrategy, Firing, Ruleset, Unfinished

log = logging.getLogger(__name__)

AT_ONCE = ("heal", "resolve")
"""Actions that wait for nothing but the record."""

_IN_ACTION: ContextVar[bool] = ContextVar("selfheal_in_action", default=False)


class Dispatcher:
    """Sequential: one firing after the other; parallel: up to `most` side by side.

    The actions of one firing always run in order. Firings that wait beyond `room` hold back the
    ruleset's events. A rule that only reports faults or their end waits for nobody: its actions
    are over at once, and must not stand behind another rule's playbook for an hour.
    """

    def __init__(
        self,
        ruleset: Ruleset,
        services: Services,
        *,
        most: int = 16,
        room: int = 100,
        on_done: Callable[[Firing, Sequence[ActionResult]], None] | None = None,
    ) -> None:
        self._rules = {rule.name: rule for rule in ruleset.rules}
        self._course = Course(ruleset, services)
        parallel = ruleset.execution_strategy is ExecutionStrategy.PARALLEL
        self._most = most if parallel else 1
        self._room = room
        self._on_done = on_done
        self._waiting: deque[Unfinished] = deque()
        self._at_once: deque[Unfinished] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._reporter: asyncio.Task[None] | None = None
        self._running: set[str] = set()
        self._progress = asyncio.Event()

    @property
    def idle(self) -> bool:
        """True when no firing waits or runs."""
        return not (self._waiting or self._at_once or self._workers or self._reporter)

    @property
    def under_way(self) -> set[str]:
        """Ids of the firings that wait or run."""
        return self._running | {one.firing.id for one in (*self._waiting, *self._at_once)}

    def take(self, firing: Firing) -> None:
        """Take a firing over."""
        actions = tuple(spec.name for spec in self._rules[firing.rule].actions)
        self.resume(Unfinished(firing, actions))

    def knows(self, left: Unfinished) -> bool:
        """Tell whether its rule is there and its actions are still the same ones."""
        rule = self._rules.get(left.firing.rule)
        return rule is not None and tuple(one.name for one in rule.actions) == left.actions

    def resume(self, left: Unfinished) -> None:
        """Take over a firing that an earlier engine left, where it left it."""
        if all(name in AT_ONCE for name in left.actions):
            self._at_once.append(left)
            if self._reporter is None:
                self._reporter = asyncio.create_task(self._report())
            return
        self._waiting.append(left)
        if len(self._workers) < self._most:
            self._workers.add(asyncio.create_task(self._work()))

    async def room(self) -> None:
        """Return when more firings can be taken over.

        Inside an action at once: waiting for the action inside it would last for ever."""
        while not _IN_ACTION.get() and (self._reporter or len(self._waiting) > self._room):
            self._progress.clear()
            await self._progress.wait()

    async def act(self, firing: Firing) -> None:
        """Take a firing over, and wait for room."""
        self.take(firing)
        await self.room()

    async def drain(self) -> None:
        """Return when everything taken over has been acted on."""
        while tasks := self._tasks():
            await asyncio.wait(tasks)

    async def close(self) -> int:
        """End what runs; return how many firings are unfinished, for the next engine to take up."""
        tasks = self._tasks()
        unfinished = len(self._waiting) + len(self._at_once) + len(tasks)
        self._waiting.clear()
        self._at_once.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._workers.clear()
        self._reporter = None
        self._progress.set()
        return unfinished

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [*self._workers, *([self._reporter] if self._reporter else [])]

    async def _report(self) -> None:
        """Act on what needs no waiting, in order."""
        try:
            await self._run_all(self._at_once)
        finally:
            self._reporter = None
            self._progress.set()

    async def _work(self) -> None:
        try:
            await self._run_all(self._waiting)
        finally:
            # Here, not when the task is seen to be done: `resume` must not count on a worker that
            # has looked for the last time.
            self._workers.discard(cast(asyncio.Task[None], asyncio.current_task()))

    async def _run_all(self, waiting: deque[Unfinished]) -> None:
        _IN_ACTION.set(True)
        while waiting:
            left = waiting.popleft()
            self._running.add(left.firing.id)
            self._progress.set()
            try:
                await self._run(left)
            finally:
                self._running.discard(left.firing.id)

    async def _run(self, left: Unfinished) -> None:
        firing = left.firing
        try:
            results = await self._course.run(left, self._rules[firing.rule])
        except Exception as error:
            # What the record refuses must not keep the other firings from being acted on.
            log.exception("rule %s of %s: its actions broke off", firing.rule, firing.ruleset)
            await self._course.broke_off(firing, error)
            return
        if self._on_done:
            self._on_done(firing, results)
