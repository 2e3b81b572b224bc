"""Replay recorded behaviour of ansible-rulebook against selfheal, and count how they compare.

    python -m benchmarks.conformance --from DIR [--kind ast] [--level 2]

Prints each case that differs, and each that differs on purpose with its reason; the last line is
one JSON object `{"kind": {"agree": n, "on_purpose": n, "differ": n}, …}`. Exit code 1 when any
case differs. Recordings are not part of this repository; DIR holds a folder a kind.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.conformance_kinds.verdict import Agreement, Verdict

KINDS = ("conditions", "sequences", "ast", "e2e")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = _options(arguments)
    counts: dict[str, dict[str, int]] = {}
    for kind in [options.kind] if options.kind else KINDS:
        if (options.source / kind).is_dir() and _has_module(kind):
            counts[kind] = _count(kind, options.source, options.level)
    print(json.dumps(counts))
    return 1 if any(count[Agreement.DIFFER.value] for count in counts.values()) else 0


def replay(kind: str, source: Path, level: int = 2) -> Iterator[Verdict]:
    """Yield the verdicts on all recordings of a kind."""
    module = importlib.import_module(f"benchmarks.conformance_kinds.{kind}")
    yield from module.replay(source, level)


def _count(kind: str, source: Path, level: int) -> dict[str, int]:
    counts: Counter[Agreement] = Counter()
    for verdict in replay(kind, source, level):
        counts[verdict.agreement] += 1
        if verdict.agreement is not Agreement.AGREE:
            print(f"{kind} {verdict.agreement.value}: {verdict.case}: {verdict.detail}")
    return {agreement.value: counts[agreement] for agreement in Agreement}


def _has_module(kind: str) -> bool:
    return (Path(__file__).parent / "conformance_kinds" / f"{kind}.py").is_file()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--from", dest="source", type=Path, required=True, help="the recordings")
    parser.add_argument("--kind", choices=KINDS, help="only this kind")
    parser.add_argument(
        "--level",
        type=int,
        choices=(1, 2, 3),
        default=2,
        help="of e2e: 1 firings, 2 events, 3 output",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
