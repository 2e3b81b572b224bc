"""The log that playbooks write: what was really done, independent of the engine's record."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """One playbook run that began to do something."""

    ident: str
    """The engine's id of it."""
    what: str
    """`do`, `undo` or `act`."""
    key: str
    """The case it belongs to."""
    attempt: str
    """The engine's id of the attempt; `-` for actions."""
    step: str
    """Name of the step."""
    began: float
    """Unix time."""
    ended: float | None = None
    """Unix time; None when it was killed."""
    rc: int | None = None
    """How it ended."""


def most_at_once(runs: Iterable[Run]) -> int:
    """Return how many ran side by side; one that was killed counts up to nothing."""
    ended = [(run.began, run.ended) for run in runs if run.ended is not None]
    moments = sorted([(began, 1) for began, _ in ended] + [(end, -1) for _, end in ended])
    return max(itertools.accumulate((change for _, change in moments), initial=0))


def read_effects(folder: Path) -> list[Run]:
    """Return all runs in the order in which they began."""
    runs: dict[tuple[str, int], Run] = {}
    path = folder / "effects.log"
    for line in path.read_text().splitlines() if path.exists() else []:
        fact = json.loads(line)
        place = (fact["ident"], fact["pid"])
        if fact["phase"] == "S":
            runs[place] = Run(
                ident=fact["ident"],
                what=fact["what"],
                key=fact["key"],
                attempt=fact["attempt"],
                step=fact["step"],
                began=fact["at"],
            )
        else:
            runs[place] = replace(runs[place], ended=fact["at"], rc=fact["rc"])
    return sorted(runs.values(), key=lambda run: run.began)
