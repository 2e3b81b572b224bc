"""What the engine holds, from outside: memory, descriptors, threads, children, locks, log."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.crash_kinds.engine import Life, rows
from benchmarks.crash_kinds.site import Site

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One look."""

    rss_mb: float
    """Resident memory."""
    fds: int
    """Open file descriptors."""
    threads: int
    """Of the engine's process."""
    children: int
    """Living processes it started."""
    locks: int
    """Resources that are locked."""
    wal_mb: float
    """SQLite's write-ahead log."""
    db_mb: float
    """The record."""


def look(site: Site, engine: Life) -> Sample:
    """Return what the engine holds now."""
    process = Path(f"/proc/{engine.process.pid}")
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    return Sample(
        rss_mb=round(int(status["VmRSS"].split()[0]) / 1024, 1),
        fds=len(list((process / "fd").iterdir())),
        threads=int(status["Threads"]),
        children=len(engine.children()),
        locks=rows(site, "SELECT count(*) AS n FROM locks")[0]["n"],
        wal_mb=_size(site.database.with_name(site.database.name + "-wal")),
        db_mb=_size(site.database),
    )


def growth(samples: Sequence[Sample]) -> dict[str, float]:
    """Return the medians of the last quarter in relation to those of the first."""
    quarter = max(1, len(samples) // 4)
    early, late = samples[:quarter], samples[-quarter:]
    return {
        name: round((_median(late, name) + 1) / (_median(early, name) + 1), 3)
        for name in asdict(samples[0])
    }


def _median(samples: Sequence[Sample], name: str) -> float:
    return float(statistics.median(getattr(sample, name) for sample in samples))


def _size(path: Path) -> float:
    return round(path.stat().st_size / MEGABYTE, 2) if path.exists() else 0.0
