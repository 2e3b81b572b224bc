"""Kill the engine at random moments, start it again, and count what that broke.

    python benchmarks/crash.py --kills 1000 [--seed 1] [--workers 3] [--real-share 0.1] [--keep]

Real `selfheal-engine` processes on projects in temporary folders; see docs/benchmarks.md. The last
line is one JSON object: kills, acknowledged, lost, steps_repeated, rollbacks_repeated, locks_left,
orphans_left, ready_p50_s. Exit code 1 when anything was found; a trial with findings keeps its
folder and names it. The same seed gives the same projects, reports and kinds of kills; the moments
depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.crash_kinds.trial import run_trial
from benchmarks.crash_kinds.verdict import Counts

KILLS_A_TRIAL = 8
COUNTED = ("lost", "steps_repeated", "rollbacks_repeated", "locks_left", "orphans_left")


@dataclass(frozen=True, slots=True)
class Plan:
    """One trial to run."""

    seed: str
    """Decides everything about it that is not timing."""
    kills: int
    """How many."""
    real: bool
    """With real Ansible."""
    parent: str
    """Folder in which its own is made."""
    keep: bool
    """Keep its folder in any case."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = _options(arguments)
    parent = tempfile.mkdtemp(prefix="selfheal-crash-")
    plans = list(_plans(options, parent))
    began, every = time.monotonic(), []
    with ProcessPoolExecutor(options.workers) as pool:
        futures = {pool.submit(run_plan, plan): plan for plan in plans}
        for done in as_completed(futures):
            counts = done.result()
            every.append(counts)
            _tell(futures[done], counts, sum(one.kills for one in every), began)
    if not any(Path(parent).iterdir()):
        Path(parent).rmdir()
    summary = summarize(every)
    wrong = sum(len(one.wrong) for one in every)
    print(f"wrong in other ways: {wrong}; {time.monotonic() - began:.0f} s")
    print(json.dumps(summary))
    return 1 if wrong or any(summary[name] for name in COUNTED) else 0


def run_plan(plan: Plan) -> Counts:
    """Run one trial; its folder stays when something was found."""
    folder = Path(plan.parent) / f"seed-{plan.seed.replace('/', '-')}"
    folder.mkdir()
    counts = run_trial(folder, plan.seed, plan.kills, plan.real)
    if counts.clean and not plan.keep:
        shutil.rmtree(folder)
    return counts


def summarize(every: list[Counts]) -> dict[str, float]:
    """Return the counts of all trials together."""
    ready = [seconds for one in every for seconds in one.ready]
    return {
        "kills": sum(one.kills for one in every),
        "acknowledged": sum(one.acknowledged for one in every),
        **{name: sum(len(getattr(one, name)) for one in every) for name in COUNTED},
        "ready_p50_s": round(statistics.median(ready), 3) if ready else 0.0,
    }


def _plans(options: argparse.Namespace, parent: str) -> Iterator[Plan]:
    dice = random.Random(options.seed)
    left, number = options.kills, 0
    while left > 0:
        kills = min(KILLS_A_TRIAL, left)
        real = dice.random() < options.real_share
        seed = f"{options.seed}/{number}"
        if options.only in ("", str(number)):
            yield Plan(seed, kills, real, parent, options.keep)
        left, number = left - kills, number + 1


def _tell(plan: Plan, counts: Counts, kills: int, began: float) -> None:
    ansible = "real Ansible" if plan.real else "stand-in"
    print(f"{time.monotonic() - began:6.0f} s  {kills:5} kills  trial {plan.seed} ({ansible})")
    for name, found in counts.findings().items():
        for line in found:
            print(f"    {name}: {line}")
    if not counts.clean:
        print(f"    kept: {plan.parent}/seed-{plan.seed.replace('/', '-')}")
    sys.stdout.flush()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000, help="how often something is killed")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn by lot")
    parser.add_argument("--workers", type=int, default=3, help="trials side by side")
    parser.add_argument("--real-share", type=float, default=0.1, help="trials with real Ansible")
    parser.add_argument("--only", default="", metavar="N", help="only the trial of that number")
    parser.add_argument("--keep", action="store_true", help="keep the folder of every trial")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
