"""holds: when a proof is complete, on a clock that stands still and a fact that is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.clock import ManualClock
from selfheal.model import Validation
from selfheal.recovery.validation import Seen, holds


class World:
    """A fact that is true at some times; `took` seconds pass in each look."""

    def __init__(self, true_at: Callable[[float], bool], took: float = 0.0) -> None:
        self.clock = ManualClock()
        self.true_at = true_at
        self.took = took
        self.looks: list[float] = []

    async def look(self) -> Seen:
        now = self.clock.monotonic()
        self.looks.append(round(now, 6))
        if self.took:
            await self.clock.sleep(self.took)
        return Seen(self.true_at(now), f"seen at {now:g}")

    async def prove(self, **kwargs: float | None) -> tuple[Seen, int, float]:
        """Return what was seen last, the tries, and the time it took."""
        validation = Validation("x", **kwargs)  # type: ignore[arg-type]  # the test's own names
        work = asyncio.create_task(holds(validation, self.look, self.clock))
        for _ in range(20_000):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if work.done():
                break
            await self.clock.advance(0.25)
        seen, tries = work.result()
        return seen, tries, self.clock.monotonic()


async def test_without_stable_for_the_first_good_look_proves() -> None:
    """It looks every interval until the fact holds once."""
    world = World(lambda now: now >= 3)
    assert await world.prove(within=10) == (Seen(True, "seen at 3"), 4, 3.0)


async def test_a_break_begins_the_proof_anew() -> None:
    """stable_for counts from the first good look after the last bad one."""
    world = World(lambda now: now not in (0, 1, 4))
    seen, tries, took = await world.prove(stable_for=3, within=30)
    assert seen == Seen(True, "seen at 8, held for 3.0s")
    assert (tries, took) == (9, 8.0)


async def test_the_last_look_falls_on_the_end_of_stable_for() -> None:
    """A long interval does not make the proof take longer than it must."""
    world = World(lambda now: True)
    await world.prove(stable_for=5, within=30, interval=3)
    assert world.looks == [0, 3, 5]


async def test_it_gives_up_when_the_proof_cannot_be_complete_in_time() -> None:
    """`stable_for` is inside `within`: with too little time left there is nothing to wait for."""
    world = World(lambda now: False)
    seen, _, took = await world.prove(stable_for=4, within=10)
    assert seen == Seen(False, "did not hold for 4.0s within 10s; last seen: seen at 6")
    assert took <= 6.25
    seen, _, took = await World(lambda now: False).prove(within=10)
    assert seen == Seen(False, "did not hold within 10s; last seen: seen at 10")


async def test_retries_bound_the_tries_that_fail() -> None:
    """After that many failures it gives up, though time is left."""
    seen, tries, _ = await World(lambda now: False).prove(within=100, retries=3)
    assert (seen.detail, tries) == ("seen at 2 (gave up after 3 tries)", 3)
    seen, tries, _ = await World(lambda now: now != 0).prove(within=9, retries=2, stable_for=5)
    assert (seen.ok, tries) == (True, 7)


async def test_a_try_has_a_time_limit() -> None:
    """A probe that does not answer is given up and counts as not held."""
    world = World(lambda now: True, took=60)
    seen, tries, _ = await world.prove(within=20, timeout=5, interval=1)
    assert seen == Seen(False, "did not hold within 20s; last seen: no answer within 5.0s")
    assert tries == 5


@pytest.mark.parametrize("error", [OSError("refused"), RuntimeError("a bug")])
async def test_what_raises_does_not_hold(error: Exception) -> None:
    """An exception is what was seen, never a proof and never a crash."""

    async def look() -> Seen:
        raise error

    seen, _ = await holds(Validation("x", within=0), look, ManualClock())
    assert not seen.ok
    assert str(error) in seen.detail


@settings(max_examples=150, deadline=None)
@given(
    st.sets(st.integers(0, 12)),
    st.integers(0, 5),
    st.integers(0, 12),
    st.sampled_from([0.5, 1.0, 2.0]),
)
def test_a_proof_is_a_proof(bad: set[int], stable_for: int, within: int, interval: float) -> None:
    """Proven means: the last looks, over at least stable_for, were all good and in time."""
    world = World(lambda now: int(now) not in bad)
    seen, _, _ = asyncio.run(
        world.prove(stable_for=float(stable_for), within=float(within), interval=interval)
    )
    assert world.looks[-1] <= within + 1e-6
    if seen.ok:
        good = world.looks[-1]
        for at in reversed(world.looks):
            if not world.true_at(at):
                break
            good = at
        assert world.looks[-1] - good >= stable_for - 1e-6
