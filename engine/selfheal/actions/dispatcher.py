"""Runs the actions of the firings of one ruleset."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import cast

from selfheal.actions.context import ActionContext, ActionResult, ActionStatus, Services
from selfheal.actions.registry import ACTIONS, MESSAGE_ACTIONS
from selfheal.errors import SelfhealError
from selfheal.model import ActionSpec, ExecutionStrategy, Firing, Kind, Rule, Ruleset
from selfheal.templates import render

log = logging.getLogger(__name__)

AT_ONCE = ("heal", "resolve")
"""Actions that wait for nothing but the record."""

_IN_ACTION: ContextVar[bool] = ContextVar("selfheal_in_action", default=False)


class Dispatcher:
    """Sequential: one firing after the other; parallel: up to `most` side by side.

    The actions of one firing always run in order. Waiting firings beyond `room` hold back the
    caller of `act`, and with it the ruleset's events.
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
        self._hosts = ruleset.hosts
        self._services = services
        parallel = ruleset.execution_strategy is ExecutionStrategy.PARALLEL
        self._most = most if parallel else 1
        self._room = room
        self._on_done = on_done
        self._waiting: deque[Firing] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Event()

    @property
    def idle(self) -> bool:
        """True when no firing waits or runs."""
        return not self._waiting and not self._workers

    async def act(self, firing: Firing) -> None:
        """Take a firing over; returns at once while there is room.

        A firing that an action caused (by a fact, say) is always taken at once: waiting for it
        inside the action that it waits for would last for ever. A rule that only reports faults
        or their end waits for nobody: its actions are over at once, and must not stand behind
        another rule's playbook for an hour."""
        if all(spec.name in AT_ONCE for spec in self._rules[firing.rule].actions):
            await self._run_guarded(firing)
            return
        self._waiting.append(firing)
        if len(self._workers) < self._most:
            self._workers.add(asyncio.create_task(self._work()))
        while len(self._waiting) > self._room and not _IN_ACTION.get():
            self._progress.clear()
            await self._progress.wait()

    async def drain(self) -> None:
        """Return when everything taken over has been acted on."""
        while self._workers:
            await asyncio.wait(self._workers)

    async def close(self) -> int:
        """End what runs; return how many firings were not acted on, each told in the timeline."""
        dropped = len(self._waiting)
        for firing in self._waiting:
            for index, spec in enumerate(self._rules[firing.rule].actions):
                message = "the engine ended before it was acted on"
                lost = ActionResult(ActionStatus.CANCELLED, message, action=spec.name)
                self._tell(firing, index, lost)
        self._waiting.clear()
        self._progress.set()
        workers = list(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        self._workers.clear()
        return dropped

    async def _work(self) -> None:
        _IN_ACTION.set(True)
        try:
            while self._waiting:
                firing = self._waiting.popleft()
                self._progress.set()
                await self._run_guarded(firing)
        finally:
            # Here, not when the task is seen to be done: `act` must not count on a worker that
            # has looked for the last time.
            self._workers.discard(cast(asyncio.Task[None], asyncio.current_task()))

    async def _run_guarded(self, firing: Firing) -> None:
        try:
            await self._run(firing, self._rules[firing.rule])
        except Exception:
            # What the record refuses must not keep the other firings from being acted on.
            log.exception("rule %s of %s: its actions broke off", firing.rule, firing.ruleset)

    async def _run(self, firing: Firing, rule: Rule) -> None:
        results: list[ActionResult] = []
        for index, spec in enumerate(rule.actions):
            result = await self._run_one(firing, spec, index)
            results.append(result)
            if result.last:
                break
        if self._on_done:
            self._on_done(firing, results)

    async def _run_one(self, firing: Firing, spec: ActionSpec, index: int) -> ActionResult:
        try:
            result = await self._call(firing, spec)
        except asyncio.CancelledError:
            stopped = ActionResult(ActionStatus.CANCELLED, "the engine ended", action=spec.name)
            self._tell(firing, index, stopped)
            raise
        except SelfhealError as error:
            result = ActionResult(ActionStatus.FAILED, str(error))
        except Exception as error:
            log.exception("%s: action %s", spec.place, spec.name)
            result = ActionResult(ActionStatus.FAILED, f"{type(error).__name__}: {error}")
        result = replace(result, action=spec.name)
        self._tell(firing, index, result)
        return result

    async def _call(self, firing: Firing, spec: ActionSpec) -> ActionResult:
        context = ActionContext(firing, self._hosts, self._services)
        # What becomes an event or a fact is compared by conditions, which tell 86 from "86".
        literals = spec.name in MESSAGE_ACTIONS
        args = render(spec.args, context.template_variables, literals=literals)
        return await ACTIONS[spec.name](args, context)

    def _tell(self, firing: Firing, index: int, result: ActionResult) -> None:
        text = f"{result.action} of rule “{firing.rule}”: {result.status.value}"
        if result.message:
            text += f": {' '.join(result.message.split())}"
            log.warning("%s", text)
        self._services.timeline.tell(
            Kind.ACTION,
            text,
            data={
                "ruleset": firing.ruleset,
                "rule": firing.rule,
                "firing": firing.id,
                "event_ids": list(firing.event_ids),
                "index": index,
                "action": result.action,
                "status": result.status.value,
                "message": result.message,
                **result.data,
            },
        )
