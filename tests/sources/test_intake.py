"""The queue that a source sees."""

import asyncio
from typing import Any

import pytest

from selfheal.errors import EventError
from selfheal.ports import JSON
from selfheal.sources import EventLimits
from selfheal.sources.intake import Intake, deliver, refuse


class Engine:
    """A queue that takes events only while its gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.events: list[JSON] = []

    async def put(self, event: JSON) -> None:
        await self.gate.wait()
        self.events.append(event)


def intake(engine: Engine, pipeline: Any = lambda event: [event]) -> tuple[Intake, list[str]]:
    refusals: list[str] = []
    made = Intake(engine, pipeline, EventLimits(), lambda error: refusals.append(str(error)))
    return made, refusals


async def test_put_waits_for_the_engine() -> None:
    """Back-pressure: a source's put does not return before the engine took the event in."""
    engine = Engine()
    engine.gate.clear()
    queue, _ = intake(engine)
    putting = asyncio.create_task(queue.put({"i": 1}))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not putting.done()
    engine.gate.set()
    await putting
    assert engine.events == [{"i": 1}]


async def test_put_refuses_without_raising() -> None:
    """A plugin does not die of a bad event: it is counted, told, and the next one is taken."""
    engine = Engine()
    queue, refusals = intake(engine)
    await queue.put({"i": float("nan")})
    await queue.put({"i": 2})
    assert engine.events == [{"i": 2}]
    assert (queue.taken, queue.refused) == (1, 1)
    assert refusals == ["holds nan, which JSON doesn't have (at i)"]


async def test_deliver_tells_the_refusal() -> None:
    """A source that can answer its sender hears that the event was refused."""
    queue, _ = intake(Engine())
    with pytest.raises(EventError, match="must be a JSON object"):
        await deliver(queue, [])  # type: ignore[arg-type]  # what a plugin should not do
    assert queue.refused == 1


async def test_plain_queues_work_too() -> None:
    """Sources run against any queue, such as asyncio's in a plugin author's own tests."""
    queue: asyncio.Queue[JSON] = asyncio.Queue()
    await deliver(queue, {"i": 1})
    refuse(queue, EventError("no"))
    assert queue.get_nowait() == {"i": 1}


async def test_filters_may_split_drop_and_fail() -> None:
    """The pipeline's results are the events; what it makes badly is refused like any other."""

    def pipeline(event: dict[str, Any]) -> list[dict[str, Any]]:
        if event["i"] == 0:
            return []
        if event["i"] == 3:
            raise EventError("filter x: no")
        return [{"i": 1}, {"i": 2}] if event["i"] == 1 else [{"i": {1, 2}}]

    engine = Engine()
    queue, refusals = intake(engine, pipeline)
    for i in range(4):
        await queue.put({"i": i})
    assert engine.events == [{"i": 1}, {"i": 2}]
    assert refusals == ["holds a set, which JSON doesn't have (at i)", "filter x: no"]


async def test_filters_do_not_reach_the_plugins_objects() -> None:
    """A filter that changes the event changes a copy: the plugin's own object stays."""

    def pipeline(event: dict[str, Any]) -> list[dict[str, Any]]:
        event["nested"]["changed"] = True
        return [event]

    queue, _ = intake(Engine(), pipeline)
    original: dict[str, Any] = {"nested": {}}
    await queue.put(original)
    assert original == {"nested": {}}


async def test_put_nowait_is_bounded_and_carried() -> None:
    """Plugins for asyncio.Queue may put_nowait: 1000 wait, no more, and all are handed over."""
    engine = Engine()
    engine.gate.clear()
    queue, _ = intake(engine)
    for i in range(1000):
        queue.put_nowait({"i": i})
    with pytest.raises(asyncio.QueueFull):
        queue.put_nowait({"i": 1000})
    async with queue.pumping():
        engine.gate.set()
    assert engine.events == [{"i": i} for i in range(1000)]


async def test_put_nowait_meets_an_engine_that_fails() -> None:
    """When the engine can't take what put_nowait left, the source's run fails; it does not hang."""

    class Broken:
        async def put(self, event: JSON) -> None:
            raise OSError("disk full")

    queue = Intake(Broken(), lambda event: [event], EventLimits(), lambda error: None)
    with pytest.raises(OSError, match="disk full"):
        async with queue.pumping():
            queue.put_nowait({"i": 1})


async def test_a_busy_source_leaves_room_for_others() -> None:
    """A source that puts without ever waiting does not keep other tasks from running."""
    queue, _ = intake(Engine())
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for i in range(100):
        await queue.put({"i": i})
    task.cancel()
    assert turns >= 50
