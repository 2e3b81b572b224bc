"""The token buckets, by a clock in the test's hands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.clock import ManualClock
from selfheal.http_door import RateLimit
from selfheal.http_door import rate_limit as module


def limit(rate: float, burst: float, clock: ManualClock | None = None) -> RateLimit:
    """A limit of each peer; all together may do what they like."""
    return RateLimit(rate, burst, total=1e9, total_burst=1e9, clock=clock or ManualClock())


@given(
    st.floats(0.1, 100),
    st.integers(1, 20),
    st.lists(st.floats(0, 10), min_size=1, max_size=60),
)
async def test_never_more_than_burst_and_rate(
    per_second: float, burst: int, gaps: list[float]
) -> None:
    """In any span that begins with the first request no more get through than the burst and what
    the time has brought; and who waits as long as told gets through."""
    clock = ManualClock()
    rate = limit(per_second, burst, clock)
    let_through = 0
    for gap in gaps:
        await clock.advance(gap)
        wait = rate.wait("10.0.0.1")
        let_through += not wait
        assert let_through <= burst + clock.monotonic() * per_second + 1e-6
    if wait:
        await clock.advance(wait + 1e-9)
        assert not rate.wait("10.0.0.1")


async def test_all_together_are_bounded() -> None:
    """Many peers, each within its own limit, get no more through than all may."""
    clock = ManualClock()
    rate = RateLimit(1, 5, total=2, total_burst=20, clock=clock)
    peers = [f"10.0.0.{number}" for number in range(100)]
    assert sum(not rate.wait(peer) for peer in peers) == 20
    await clock.advance(3)
    assert sum(not rate.wait(peer) for peer in peers) == 6


def test_who_is_over_the_limit_takes_nothing_from_the_others() -> None:
    """What a peer is refused does not count against all."""
    rate = RateLimit(1, 1, total=1, total_burst=2, clock=ManualClock())
    assert [bool(rate.wait("10.0.0.1")) for _ in range(50)] == [False] + [True] * 49
    assert not rate.wait("10.0.0.2")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2%eth0", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("", "", True),
    ],
)
def test_who_is_one_peer(one: str, other: str, same: bool) -> None:
    """Who changes the address within a /64 stays who they are; other addresses share nothing."""
    rate = limit(1, 1)
    assert not rate.wait(one)
    assert bool(rate.wait(other)) is same


def test_a_rate_of_less_than_one_a_second_lets_the_first_through() -> None:
    """A burst of less than one request would be a door without a handle."""
    assert not limit(0.01, 0.1).wait("10.0.0.1")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses come, no more than so many are remembered, the newest among them."""
    monkeypatch.setattr(module, "MOST_PEERS", 5)
    rate = limit(0.001, 1)
    for number in range(50):
        assert not rate.wait(f"10.0.0.{number}")
    assert len(rate._peers) == 5
    assert rate.wait("10.0.0.49")
