"""The crash benchmark, for as long as a test may take."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.crash import Plan, run_plan, summarize

NOTHING = dict.fromkeys(
    ("lost", "steps_repeated", "rollbacks_repeated", "locks_left", "orphans_left"), 0
)


@pytest.mark.parametrize(("seed", "kills"), [("test/0", 6), ("test/1", 6)])
def test_kills_at_random_moments_break_no_promise(tmp_path: Path, seed: str, kills: int) -> None:
    """Nothing acknowledged is lost, nothing completed is repeated, nothing is left behind."""
    counts = run_plan(Plan(seed, kills, real=False, parent=str(tmp_path), keep=False))
    found = {name: lines for name, lines in counts.findings().items() if lines}
    assert not found
    summary = summarize([counts])
    assert summary.items() >= NOTHING.items()
    assert summary["kills"] >= kills
    assert summary["acknowledged"] > kills
