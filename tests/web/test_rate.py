"""The token buckets, by a clock in the test's hands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.clock import ManualClock
from selfheal.web import rate as module
from selfheal.web.rate import Rate


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
    rate = Rate(per_second, burst, clock)
    let_through = 0
    for gap in gaps:
        await clock.advance(gap)
        wait = rate.take("10.0.0.1")
        let_through += not wait
        assert let_through <= burst + clock.monotonic() * per_second + 1e-6
    if wait:
        await clock.advance(wait + 1e-9)
        assert not rate.take("10.0.0.1")


def test_peers_do_not_share() -> None:
    """One who has used up the burst takes nothing from another."""
    rate = Rate(1, 1, ManualClock())
    assert not rate.take("10.0.0.1")
    assert rate.take("10.0.0.1")
    assert not rate.take("10.0.0.2")


def test_a_network_of_ipv6_is_one_peer() -> None:
    """Who changes the address within a /64 stays who they are."""
    rate = Rate(1, 1, ManualClock())
    assert not rate.take("2001:db8:0:1::1")
    assert rate.take("2001:db8:0:1:ffff::2%eth0")
    assert not rate.take("2001:db8:0:2::1")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses come, no more than so many are remembered, the newest among them."""
    monkeypatch.setattr(module, "_MOST_PEERS", 5)
    rate = Rate(0.001, 1, ManualClock())
    for number in range(50):
        assert not rate.take(f"10.0.0.{number}")
    assert len(rate._buckets) == 5
    assert rate.take("10.0.0.49")
