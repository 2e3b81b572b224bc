"""Whole runs: each recorded rulebook, run by the real daemon in a folder of its own.

    python -m benchmarks.conformance --from DIR --kind e2e [--level 3]

The recordings wait for real time-outs, throttles and playbooks, so several run side by side.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.conformance_kinds.e2e_compare import compare
from benchmarks.conformance_kinds.e2e_run import run
from benchmarks.conformance_kinds.verdict import Verdict

WORKERS = 3


def replay(folder: Path, level: int) -> Iterator[Verdict]:
    """Yield a verdict for each recording, by name."""
    records = [json.loads(path.read_text("utf-8")) for path in (folder / "e2e").glob("*.json")]
    longest_first = sorted(records, key=lambda record: -max(record["wall_s"]))
    with ThreadPoolExecutor(WORKERS) as pool:
        verdicts = pool.map(lambda record: _verdict(folder, record, level), longest_first)
        yield from sorted(verdicts, key=lambda verdict: verdict.case)


def _verdict(folder: Path, record: Mapping[str, Any], level: int) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="selfheal-e2e-") as place:
        return compare(folder, record, run(folder, record, Path(place)), level)
