from __future__ import annotations

import asyncio

from selfheal.clock import ManualClock


async def test_sleepers_wake_in_the_order_of_their_time() -> None:
    """Advancing a manual clock wakes each sleeper at its own time, earliest first."""
    clock = ManualClock(start=100.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now()))

    tasks = [asyncio.create_task(sleeper(n, s)) for n, s in (("late", 5), ("early", 1))]
    await asyncio.sleep(0)
    await clock.advance(10)
    assert woken == [("early", 101.0), ("late", 105.0)]
    await asyncio.gather(*tasks)


async def test_a_woken_task_may_sleep_again_within_one_advance() -> None:
    """A loop that sleeps one second ten times has run ten times after ten seconds."""
    clock = ManualClock()
    rounds = 0

    async def loop() -> None:
        nonlocal rounds
        while rounds < 100:
            await clock.sleep(1)
            rounds += 1

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    await clock.advance(10)
    task.cancel()
    assert rounds == 10


async def test_a_jump_moves_the_wall_clock_only() -> None:
    """Setting the clock back an hour wakes nobody and leaves the passing of time alone."""
    clock = ManualClock(start=5000.0)
    sleeper = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0)
    clock.jump(-3600)
    assert (clock.now(), clock.monotonic(), sleeper.done()) == (1400.0, 0.0, False)
    await clock.advance(10)
    assert (clock.now(), clock.monotonic(), sleeper.done()) == (1410.0, 10.0, True)
