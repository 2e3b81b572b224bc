"""Solution: what to do about a root cause; an entry of the knowledge base, its runbook included."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Strategy(Enum):
    """Rung of the ladder; ordered from the cheapest to the last resort."""

    QUICK_FIX = "quick_fix"
    """Seconds, no side effect worth naming: restart, reconnect."""
    STANDARD = "standard"
    """The usual repair."""
    DEEP = "deep"
    """Long or far-reaching: rebuild, restore."""
    MANUAL = "manual"
    """A human is told, with the evidence."""

    @property
    def rung(self) -> int:
        """Position on the ladder, 0 for the quick fix."""
        return list(Strategy).index(self)


class Risk(Enum):
    """What a runbook may break; ordered."""

    LOW = "low"
    """At worst it does not help."""
    MEDIUM = "medium"
    """May interrupt the component."""
    HIGH = "high"
    """May interrupt others, or lose data that can be restored."""
    CRITICAL = "critical"
    """May lose data for good."""

    @property
    def level(self) -> int:
        """Position in the order, 0 for low."""
        return list(Risk).index(self)


class OnFailure(Enum):
    """What a failed step means for its runbook."""

    ROLLBACK = "rollback"
    """Stop, undo the steps that ran, newest first, then the next rung."""
    CONTINUE = "continue"
    """Note it and go on with the next step."""
    ABORT = "abort"
    """Stop without undoing anything, then a human."""


@dataclass(frozen=True, slots=True)
class Step:
    """One playbook of a runbook, with its way back."""

    name: str
    """For people; unique in its solution."""
    playbook: str
    """File in `playbooks/`."""
    rollback: str = ""
    """Playbook that undoes this step; empty when there is nothing to undo."""
    vars: Mapping[str, Any] = field(default_factory=dict)
    """Extra variables; Jinja in values."""
    limit: str = ""
    """Ansible host pattern; Jinja. Empty: the ruleset's hosts."""
    timeout: float = 300.0
    """Seconds after which the run is ended and counts as failed."""
    on_failure: OnFailure = OnFailure.ROLLBACK
    """What a failure means for the runbook."""
    idempotent: bool = False
    """The author says that running it twice does no harm (matters after a crash)."""


@dataclass(frozen=True, slots=True)
class Validation:
    """One proof that the fault is gone."""

    kind: str
    """`http`, `tcp`, `promql`, `command`, `playbook` or `event`."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of that kind; Jinja in values."""
    stable_for: float = 0.0
    """Seconds for which it must hold without a break."""
    within: float = 30.0
    """Seconds in which the proof must be complete, `stable_for` included."""
    retries: int | None = None
    """Most tries that may fail; None: as many as `within` allows."""
    interval: float = 1.0
    """Seconds between two tries."""
    timeout: float = 5.0
    """Seconds for one try."""


@dataclass(frozen=True, slots=True)
class Canary:
    """How a runbook over several hosts is rolled out: few first, proven, then the rest."""

    first: int = 1
    """Hosts of the first batch."""
    then: str = "25%"
    """Hosts of each further batch: a number, or a per cent of all of them (at least one)."""
    pause: float = 0.0
    """Seconds between a proven batch and the next."""


@dataclass(frozen=True, slots=True)
class Solution:
    """A runbook for a family of root causes."""

    name: str
    """Unique in the knowledge base."""
    root_cause: str
    """Glob over root causes, such as `backend-*`."""
    strategy: Strategy
    """Its rung."""
    risk: Risk
    """What it may break."""
    steps: tuple[Step, ...]
    """Run in order."""
    validate: tuple[Validation, ...] = ()
    """All must hold; none: the steps' success is not proof, the outcome is `unknown`."""
    estimated_time: float | None = None
    """Seconds, as the author guesses."""
    description: str = ""
    """For people."""
    hosts: tuple[str, ...] = ("all",)
    """The ruleset's hosts: where its steps run when nothing narrower is said."""
    ruleset: str = ""
    """Where it was defined."""
    locks: tuple[str, ...] = ()
    """Resources it needs for itself beside the target's host, such as `haproxy:web`; Jinja."""
    canary: Canary | None = None
    """None: all hosts at once."""


@dataclass(frozen=True, slots=True)
class SolutionRecord:
    """What the record says about a solution."""

    name: str
    """The solution."""
    usage_count: int
    """Attempts that ended as healed, failed, rolled back, or could not be rolled back."""
    healed: int
    """Attempts whose validation held."""
    last_used: float | None
    """Unix time at which the newest attempt started."""
    mttr: float | None
    """Mean seconds from the fault's start to the validated end, over healed attempts."""

    @property
    def success_rate(self) -> float | None:
        """Share of attempts that healed; None when it was never used."""
        return self.healed / self.usage_count if self.usage_count else None
