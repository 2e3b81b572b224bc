"""Watching many targets: one task each, on a steady beat, an event at each change of state."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pydantic import Field, field_validator

from selfheal.clock import Clock
from selfheal.ports import EventQueue
from selfheal.sources.arguments import Arguments, Seconds
from selfheal.sources.health import Health, Probe, Status, Verdict
from selfheal.sources.loop_lag import LoopLag

_LOG = logging.getLogger(__name__)
_TELL_EVERY = 60.0


class Target(Arguments):
    """One thing to watch, with what the event says about it."""

    target: str
    """URL, or `host:port`."""
    component: str = ""
    """Component it belongs to; empty: the source's `component`."""
    hosts: list[str] = Field(default_factory=list)
    """Inventory hosts for `meta.hosts`; empty: the host in the target."""


class CheckArgs(Arguments):
    """What both checks may be told."""

    interval: Seconds = 1.0
    """From the start of one probe of a target to the start of the next."""
    timeout: Seconds = 5.0
    """Time for one probe."""
    unhealthy_after: int = Field(default=3, ge=1)
    """Bad results in a row before a target is down."""
    healthy_after: int = Field(default=2, ge=1)
    """Good results in a row before a target is up."""
    jitter: Seconds | None = None
    """Each probe starts up to that much late, by chance; default: a tenth of the interval."""
    component: str = ""
    """Component the targets belong to, for `check.component`."""
    every: bool = False
    """An event for each probe, with its own result as status, instead of one for each change."""

    @field_validator("interval", "timeout")
    @classmethod
    def _positive(cls, value: float) -> float:
        if value < 0.001:
            raise ValueError("must be 1ms or more")
        return value


Prober = Callable[[Target], Awaitable[str]]
"""Probe one target once; return what is wrong, empty when nothing is. Needs no time limit."""


async def watch(
    queue: EventQueue,
    kind: str,
    args: CheckArgs,
    targets: Sequence[Target],
    probe: Prober,
    clock: Clock,
) -> None:
    """Probe all targets until cancelled and put what changes."""
    watcher = _Watcher(queue, kind, args, probe, clock)
    async with watcher.lag.measuring(), asyncio.TaskGroup() as group:
        for number, target in enumerate(targets):
            # Starts are spread over one interval, so the probes don't come in bursts.
            offset = args.interval * number / len(targets)
            group.create_task(watcher.run(target, offset))


class _Watcher:
    def __init__(
        self, queue: EventQueue, kind: str, args: CheckArgs, probe: Prober, clock: Clock
    ) -> None:
        self.queue = queue
        self.kind = kind
        self.args = args
        self.probe = probe
        self.clock = clock
        self.lag = LoopLag(clock, window=args.timeout)
        self.tolerable_lag = max(0.1, args.timeout / 4)
        self.jitter = args.interval / 10 if args.jitter is None else args.jitter
        self.distrusted = 0
        self.told_at = float("-inf")

    async def run(self, target: Target, offset: float) -> None:
        health = Health(self.args.unhealthy_after, self.args.healthy_after)
        due = self.clock.monotonic() + offset
        while True:
            late = random.uniform(0, self.jitter)  # noqa: S311 -- spreads load, guards nothing
            await self.clock.sleep(due + late - self.clock.monotonic())
            result = await self._probe(target)
            news = health.add(result.verdict)
            if news or self.args.every:
                await self.queue.put(self._event(target, result, health))
            # A beat that was missed is skipped, not made up for.
            missed = max(0.0, self.clock.monotonic() - due) // self.args.interval
            due += self.args.interval * (missed + 1)

    async def _probe(self, target: Target) -> Probe:
        started = self.clock.monotonic()
        try:
            async with asyncio.timeout(self.args.timeout):
                problem = await self.probe(target)
        except TimeoutError:
            return self._timed_out(self.clock.monotonic() - started)
        verdict = Verdict.BAD if problem else Verdict.GOOD
        return Probe(verdict, problem or "as expected", self.clock.monotonic() - started)

    def _timed_out(self, took: float) -> Probe:
        if self.lag.worst() > self.tolerable_lag:
            self._distrust()
            return Probe(Verdict.DISTRUSTED, "timed out while this process was overloaded", took)
        return Probe(Verdict.BAD, f"no answer within {self.args.timeout:g}s", took)

    def _distrust(self) -> None:
        self.distrusted += 1
        now = self.clock.monotonic()
        if now - self.told_at >= _TELL_EVERY:
            self.told_at = now
            _LOG.warning(
                "%s_check: this process is overloaded (event loop late by %.2fs): "
                "%d timeouts not counted so far; watch fewer targets or less often",
                self.kind,
                self.lag.worst(),
                self.distrusted,
            )

    def _event(self, target: Target, result: Probe, health: Health) -> dict[str, Any]:
        status = health.status
        if self.args.every:
            by_verdict = {Verdict.GOOD: Status.UP, Verdict.BAD: Status.DOWN}
            status = by_verdict.get(result.verdict, Status.UNKNOWN)
        check = {
            "kind": self.kind,
            "target": target.target,
            "status": status.value,
            "reason": result.reason,
            "latency": round(result.latency, 6),
            "failures": health.failures,
            "component": target.component or self.args.component,
        }
        return {"check": check, "meta": {"hosts": target.hosts}}
