"""What can be done next about a healing."""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.model import Outcome, Stage


@dataclass(frozen=True, slots=True)
class StartRung:
    """Begin an attempt, if the gate lets it."""

    rung: int
    """Index into the ladder."""
    batch: int = 0
    """Which batch of hosts of a canary rollout; there may be no host left for it."""

    @property
    def stage(self) -> Stage:
        """What the gate is asked about."""
        return Stage.BATCH if self.batch else Stage.RUNG


@dataclass(frozen=True, slots=True)
class RunStep:
    """Run a step of the open attempt."""

    index: int
    """Number of the step in its solution."""


@dataclass(frozen=True, slots=True)
class RollBack:
    """Undo a step of the open attempt."""

    index: int
    """Number of the step in its solution."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Find out how a run ended whose end nobody recorded."""

    ident: str
    """The run."""


@dataclass(frozen=True, slots=True)
class Validate:
    """Prove, or disprove, that the open attempt healed."""


@dataclass(frozen=True, slots=True)
class EndAttempt:
    """Close the open attempt."""

    outcome: Outcome
    """How it ended."""
    reason: str
    """One sentence."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Close the healing."""

    outcome: Outcome
    """How it ended."""
    reason: str
    """One sentence."""


Move = StartRung | RunStep | RollBack | Settle | Validate | EndAttempt | Finish
