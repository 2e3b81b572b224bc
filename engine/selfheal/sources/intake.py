"""Intake: the queue a source puts its events into. Checks, filters, counts, and holds it back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from selfheal.errors import EventError
from selfheal.ports import JSON, EventQueue
from selfheal.sources.events import DEFAULT_LIMITS, EventLimits, clean_event

Pipeline = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""The source's filters in order: one event in, the events that come of it out, or `EventError`."""

_NOWAIT_ROOM = 1000


class Intake:
    """An `EventQueue` in front of the engine's.

    `put` never raises for a bad event: a plugin that knows nothing of us must not die of one line
    among thousands. The event is refused, counted and reported instead.
    """

    def __init__(
        self,
        queue: EventQueue,
        pipeline: Pipeline,
        limits: EventLimits,
        on_refusal: Callable[[EventError], None],
    ) -> None:
        self._queue = queue
        self._pipeline = pipeline
        self.limits = limits
        """What one event may weigh."""
        self._on_refusal = on_refusal
        self._waiting: asyncio.Queue[Any] = asyncio.Queue(_NOWAIT_ROOM)
        self.taken = 0
        """Events handed to the engine, after the filters."""
        self.refused = 0
        """Events refused, each reported by `on_refusal`."""

    async def put(self, event: JSON) -> None:
        """Hand over one event; returns when the engine took it in, or when it was refused."""
        with contextlib.suppress(EventError):  # `offer` has counted and reported it
            await self.offer(event)

    async def offer(self, event: JSON) -> None:
        """Like `put`, for a source that can tell its sender. Raises `EventError`."""
        try:
            results = self._pipeline(clean_event(event, self.limits))
            cleaned = [clean_event(result, self.limits) for result in results]
        except EventError as error:
            self.refuse(error)
            raise
        for result in cleaned:
            await self._queue.put(result)
            self.taken += 1
        # A source that never waits for anything must not keep the others from running.
        await asyncio.sleep(0)

    def put_nowait(self, event: JSON) -> None:
        """For plugins written against `asyncio.Queue`. Raises `asyncio.QueueFull` when the engine
        is too far behind. Call it in the event loop's thread."""
        self._waiting.put_nowait(event)

    def refuse(self, error: EventError) -> None:
        """Count and report something that did not even become an event."""
        self.refused += 1
        self._on_refusal(error)

    @contextlib.asynccontextmanager
    async def pumping(self) -> AsyncIterator[None]:
        """Carry over what `put_nowait` left; on a clean exit all of it is handed over first."""
        pump = asyncio.create_task(self._pump())
        try:
            yield
            await self._until_carried(pump)
        finally:
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)

    async def _pump(self) -> None:
        while True:
            event = await self._waiting.get()
            await self.put(event)
            self._waiting.task_done()

    async def _until_carried(self, pump: asyncio.Task[None]) -> None:
        carried = asyncio.create_task(self._waiting.join())
        try:
            await asyncio.wait({carried, pump}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            carried.cancel()
        if pump.done():
            pump.result()


async def deliver(queue: EventQueue, event: JSON) -> None:
    """Put one event; raise `EventError` when the queue says that it was refused."""
    if isinstance(queue, Intake):
        await queue.offer(event)
    else:
        await queue.put(event)


def limits_of(queue: EventQueue) -> EventLimits:
    """Return what the queue takes as one event, so that a receiver need not read more."""
    return queue.limits if isinstance(queue, Intake) else DEFAULT_LIMITS


def refuse(queue: EventQueue, error: EventError) -> None:
    """Count input that never became an event, where the queue counts."""
    if isinstance(queue, Intake):
        queue.refuse(error)
