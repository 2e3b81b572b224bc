"""Up or down: the state of one target, and how late the event loop may be."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.clock import ManualClock, SystemClock
from selfheal.sources.health import Health, Status, Verdict
from selfheal.sources.loop_lag import LoopLag

VERDICTS = st.lists(st.sampled_from(Verdict), max_size=60)
THRESHOLD = st.integers(1, 4)


@given(VERDICTS, THRESHOLD, THRESHOLD)
def test_state_changes_only_by_a_run_of_equal_results(
    verdicts: list[Verdict], unhealthy_after: int, healthy_after: int
) -> None:
    """Down means: the newest trusted results were all bad, as many as asked; up likewise."""
    health = Health(unhealthy_after, healthy_after)
    trusted: list[Verdict] = []
    before = Status.UNKNOWN
    for verdict in verdicts:
        news = health.add(verdict)
        trusted += [verdict] if verdict is not Verdict.DISTRUSTED else []
        if health.status is not before:
            wanted, count = {
                Status.DOWN: (Verdict.BAD, unhealthy_after),
                Status.UP: (Verdict.GOOD, healthy_after),
            }[health.status]
            assert trusted[-count:] == [wanted] * count
            assert news is not (before is Status.UNKNOWN and health.status is Status.UP)
        else:
            assert not news
        before = health.status


@given(VERDICTS, THRESHOLD, THRESHOLD)
def test_enough_equal_results_always_decide(
    verdicts: list[Verdict], unhealthy_after: int, healthy_after: int
) -> None:
    """Whatever came before, enough bad results in a row mean down, enough good ones up."""
    health = Health(unhealthy_after, healthy_after)
    for verdict in [*verdicts, *[Verdict.BAD] * unhealthy_after]:
        health.add(verdict)
    assert health.status is Status.DOWN
    assert health.failures >= unhealthy_after
    for _ in range(healthy_after):
        health.add(Verdict.GOOD)
    assert (health.status, health.failures) == (Status.UP, 0)


def test_distrusted_results_count_for_nothing() -> None:
    """A timeout of our own making brings a target neither down nor nearer to it."""
    health = Health(2, 1)
    for _ in range(10):
        assert not health.add(Verdict.DISTRUSTED)
        health.add(Verdict.BAD)
        health.add(Verdict.DISTRUSTED)
        health.add(Verdict.GOOD)
    assert health.status is Status.UP


async def test_lag_of_a_blocked_loop_is_seen() -> None:
    """A loop that stood still is late, at once and for the length of the window."""
    lag = LoopLag(SystemClock(), window=60.0)
    async with lag.measuring():
        time.sleep(0.3)  # noqa: ASYNC251 -- blocking the loop is the point
        assert lag.worst() > 0.2


class LateClock(ManualClock):
    """A clock whose sleepers wake `late` seconds late."""

    late = 0.5

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds + self.late)


async def test_old_lag_is_forgotten() -> None:
    """Only the last window counts."""
    clock = LateClock()
    lag = LoopLag(clock, window=1.0)
    async with lag.measuring():
        await clock.advance(0)  # the first measurement begins
        await clock.advance(0.6)
        assert lag.worst() == pytest.approx(0.5)
        clock.late = 0.0
        await clock.advance(3.0)
        assert lag.worst() == pytest.approx(0.0)
