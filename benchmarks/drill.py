"""How long the engine takes to heal real faults, from the fault to the proof.

    python benchmarks/drill.py [--rounds 3] [--only WORDS]

Prometheus (scraping each second) → Alertmanager → selfheal-engine → Ansible, all on this machine
with the shipped rulebook and alerting rules. Seconds since the fault: `alert` until the engine has
it on disk, `task` until the first Ansible task starts, `healed` until the validation has held
(most must hold for 2 s). The servers come from Debian: scripts/servers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.drills import DRILLS, Course, Drill, WebTier, run_drill

STAGES = ("alert", "task", "healed")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = _options(arguments)
    drills = [drill for drill in DRILLS if options.only in drill.name]
    if not drills:
        known = ", ".join(drill.name for drill in DRILLS)
        print(f"no drill is called {options.only!r}; there are: {known}", file=sys.stderr)
        return 2
    # Some drills fail a rung on purpose: with each round it is believed in less, and in the end a
    # human would be asked. How fast a human answers is not measured here.
    trusting = {"approval": {"confidence": 0.0}}
    with (
        tempfile.TemporaryDirectory(prefix="selfheal-drills-") as folder,
        WebTier(Path(folder), **trusting) as tier,
    ):
        _print_table(_measure(tier, drills, options.rounds), drills)
    return 0


def _measure(tier: WebTier, drills: Sequence[Drill], rounds: int) -> dict[str, list[list[float]]]:
    """Each drill's seconds, round by round, in the order of STAGES."""
    seconds = defaultdict(list)
    for number in range(1, rounds + 1):
        for drill in drills:
            print(f"round {number} of {rounds}: {drill.name}", file=sys.stderr)
            seconds[drill.name].append(_seconds(run_drill(tier, drill)))
    return seconds


def _seconds(course: Course) -> list[float]:
    moments = (course.alert_at, course.task_at, course.ended_at)
    return [moment - course.began_at for moment in moments]


def _print_table(seconds: dict[str, list[list[float]]], drills: Sequence[Drill]) -> None:
    width = max(len(drill.name) for drill in drills)
    print(f"{'seconds since the fault':{width}}" + "".join(f"{stage:>21}" for stage in STAGES))
    print(f"{'':{width}}" + f"{'min':>9}{'med':>6}{'max':>6}" * len(STAGES) + "  healed")
    for drill in drills:
        rounds = seconds[drill.name]
        cells = "".join(
            f"{min(column):9.2f}{statistics.median(column):6.2f}{max(column):6.2f}"
            for column in zip(*rounds, strict=True)
        )
        print(f"{drill.name:{width}}{cells}  {len(rounds)} of {len(rounds)}")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each drill is run")
    parser.add_argument("--only", default="", metavar="WORDS", help="drills whose name has them")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
