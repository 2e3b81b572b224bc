"""The soak benchmark, for a minute and a half."""

from __future__ import annotations

from pathlib import Path

from benchmarks.soak import soak


def test_nothing_grows_in_an_engine_at_work(tmp_path: Path) -> None:
    """Descriptors, threads, children and locks are the same at rest; memory is nearly."""
    summary = soak(tmp_path, seconds=75.0, seed=1)
    assert summary["alive"]
    assert summary["grew"] == []
    assert summary["mended"]
    assert summary["healings"].get("healed", 0) > 20
    assert not set(summary["healings"]) & {"queued", "running"}
    assert summary["at_rest"][1]["locks"] == 0
