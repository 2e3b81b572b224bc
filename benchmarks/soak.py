"""An engine at work for a long time among faults at random: does anything grow?

    python benchmarks/soak.py --minutes 60 [--seed 1] [--keep]

The first third of the time warms the engine up and counts for nothing. The verdict compares two
moments of rest, after it and at the end. In between memory, file descriptors, threads, children,
locks and the write-ahead log are looked at every second. The last line is one JSON object;
docs/benchmarks.md says how to read it. Exit code 1 when something grew, or the engine did not live
through it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.crash_kinds.engine import Life, rows
from benchmarks.crash_kinds.site import Site
from benchmarks.soak_kinds.samples import Sample, growth, look
from benchmarks.soak_kinds.site import write_site
from benchmarks.soak_kinds.targets import Targets
from benchmarks.soak_kinds.troubles import Troubles

RESTS_WITHIN = 60.0
MOST_THREADS = 4 + min(32, (os.cpu_count() or 1) + 4)
"""The engine's own, and asyncio's pool, which starts its threads only when they are needed."""
MOST_MEMORY = 1.10
"""At rest, at the end, to that after the warm-up."""
WARM_UP = 1 / 3
"""Of the time: modules are imported, caches and pools filled when they are first needed."""
_UNDER_WAY = """
SELECT (SELECT count(*) FROM healings WHERE state != 'done')
    + (SELECT count(*) FROM incidents WHERE state = 'open')
    + (SELECT count(*) FROM steps WHERE state = 'running') AS n
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="selfheal-soak-"))
    try:
        summary = soak(folder, options.minutes * 60, options.seed)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(summary))
    return 1 if summary["grew"] or not summary["alive"] else 0


def soak(folder: Path, seconds: float, seed: int) -> dict[str, Any]:
    """Run an engine in `folder` for so long; return what the last line shows."""
    site_folder = folder / "site"
    targets = Targets(site_folder / "world", 8)
    site = write_site(site_folder, targets.ports)
    with targets:
        engine = Life(site)
        try:
            engine.await_ready()
            troubles = Troubles(site, engine, targets, random.Random(seed))
            return _Soak(site, engine, targets, troubles).run(seconds)
        finally:
            engine.close()


class _Soak:
    def __init__(self, site: Site, engine: Life, targets: Targets, troubles: Troubles) -> None:
        self._site = site
        self._engine = engine
        self._targets = targets
        self._troubles = troubles
        self._samples: list[Sample] = []

    def run(self, seconds: float) -> dict[str, Any]:
        """Trouble, rest, trouble, rest; compare."""
        self._trouble(seconds * WARM_UP)
        first = self._rest()
        self._samples.clear()
        self._trouble(seconds * (1 - WARM_UP))
        last = self._rest()
        alive = self._engine.alive
        code = self._engine.stop() if alive else -1
        return {
            "minutes": round(seconds / 60, 1),
            "samples": len(self._samples),
            **self._done(),
            "at_rest": [asdict(first), asdict(last)],
            "rss_ratio": round(last.rss_mb / first.rss_mb, 3),
            "ratios": growth(self._samples),
            "grew": _grew(first, last),
            "alive": int(alive and code == 0),
        }

    def _trouble(self, seconds: float) -> None:
        until, next_look = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < until and self._engine.alive:
            self._troubles.tick()
            if time.monotonic() >= next_look:
                self._look()
                next_look += 1.0
            time.sleep(0.02)

    def _look(self) -> None:
        try:
            self._samples.append(look(self._site, self._engine))
        except (OSError, KeyError):
            return  # it has just died; `alive` says so

    def _rest(self) -> Sample:
        """Wait until nothing is under way; return the smallest of a few looks.

        What the engine has handed to a human by then is repaired by one."""
        self._troubles.calm()
        self._settle()
        self._targets.repair()
        self._settle()
        looks = [self._pause_and_look() for _ in range(5)]
        names = asdict(looks[0])
        return Sample(**{name: min(asdict(one)[name] for one in looks) for name in names})

    def _settle(self) -> None:
        deadline, quiet = time.monotonic() + RESTS_WITHIN, 0
        while quiet < 10 and time.monotonic() < deadline and self._engine.alive:
            quiet = 0 if rows(self._site, _UNDER_WAY)[0]["n"] else quiet + 1
            time.sleep(0.3)

    def _pause_and_look(self) -> Sample:
        time.sleep(0.3)
        return look(self._site, self._engine)

    def _done(self) -> dict[str, Any]:
        healings = rows(
            self._site,
            "SELECT coalesce(outcome, state) AS name, count(*) AS n FROM healings GROUP BY 1",
        )
        return {
            "made": dict(self._troubles.made),
            "broken": self._targets.broken,
            "healings": {row["name"]: row["n"] for row in healings},
            "mended": self._targets.all_up(),
        }


def _grew(first: Sample, last: Sample) -> list[str]:
    """Name what is more at the end than it was; only memory may be, by a little."""
    # The join engine's child, and its two pipes, may have been killed just before the first rest.
    allowed = {"fds": 2, "children": 1, "locks": 0}
    found = [
        name for name, more in allowed.items() if getattr(last, name) > getattr(first, name) + more
    ]
    if last.threads > max(first.threads, MOST_THREADS):
        found.append("threads")
    if last.locks:
        found.append("locks at rest")
    if last.rss_mb > first.rss_mb * MOST_MEMORY:
        found.append("rss_mb")
    return found


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="how long")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn by lot")
    parser.add_argument("--keep", action="store_true", help="keep the project")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
