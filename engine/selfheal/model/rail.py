"""Rails: what keeps a healing from going on, for now or for good, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from selfheal.model.decision import Refusal


class Stage(Enum):
    """Where a healing stands when the rails are asked. Rolling back asks nobody."""

    START = "start"
    """Nothing of it is locked or run yet; asked before the locks are taken."""
    RUNG = "rung"
    """Just before a rung is begun, its locks held and its approval given."""
    BATCH = "batch"
    """Just before the next batch of hosts of a canary rollout."""
    RETRY = "retry"
    """Just before a step that was cut off is run a second time."""


class Verdict(Enum):
    """What a refusal means for the healing."""

    WAIT = "wait"
    """Not now: the healing is kept and the rails are asked again."""
    SKIP = "skip"
    """Not this solution: go on with the next rung."""
    STOP = "stop"
    """Not at all: the healing ends and a human is told."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A rail says no. That is control flow, not an error."""

    reason: Refusal
    """Of the closed set."""
    detail: str
    """One sentence with the numbers and names that decided."""
    verdict: Verdict
    """What it means for the healing."""
    until: float | None = None
    """Unix time at which it is worth asking again; None: when something changes."""
    everybody: bool = False
    """It holds for every healing (a pause, a storm), so that nobody else need be asked."""
