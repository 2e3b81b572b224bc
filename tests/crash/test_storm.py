"""The storm benchmark, a tenth of it."""

from __future__ import annotations

from pathlib import Path

from benchmarks.storm import storm


def test_a_storm_is_taken_in_counted_and_kept_within_the_limits(tmp_path: Path) -> None:
    """Every alert is in `status`, no playbook runs beyond a limit, memory stays bounded."""
    summary = storm(tmp_path / "site", alerts=1000, targets=100, seconds=1.0, seed=1)
    assert summary["acknowledged"] == 1000
    assert summary["lost"] == 0
    assert summary["unaccounted"] == {}
    assert summary["beyond_limits"] == 0
    assert summary["playbooks"] == 40
    assert sum(summary["healings"].values()) == 100
    assert summary["healings"]["healed"] == 40
    assert summary["rss_ratio"] < 3
    assert summary["alive"]
