"""Decision: which rung was chosen, or why none was, with the reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from selfheal.model.solution import Risk, Strategy


class Refusal(Enum):
    """Why a solution was not run; a closed set."""

    NO_SOLUTION = "no_solution"
    """No solution's pattern fits the root cause."""
    NO_ROOT_CAUSE = "no_root_cause"
    """The root cause is unknown, so nothing can be chosen."""
    APPROVAL_REQUIRED = "approval_required"
    """Too risky, or too little confidence, to run unattended."""
    LADDER_EXHAUSTED = "ladder_exhausted"
    """Each rung was tried and none healed."""
    FAULT_GONE = "fault_gone"
    """The fault was resolved before anything was done."""
    EMPTY_TARGET = "empty_target"
    """The host pattern matches no host."""
    TOO_MANY_TARGETS = "too_many_targets"
    """The host pattern matches more of the inventory than one runbook may touch."""
    LIMIT = "limit"
    """As much has been done, in the time or at once, as the limits allow."""
    COOLDOWN = "cooldown"
    """The same was done too short a while ago."""
    SETTLING = "settling"
    """The fault may be the echo of what the engine has just done."""
    BREAKER_OPEN = "breaker_open"
    """The solution has failed too often lately; it is not tried until it has rested."""
    FLAPPING = "flapping"
    """The fault comes and goes; healing it again and again hides what is behind it."""
    STORM = "storm"
    """Too large a share of the fleet is unhealthy for the cause to be in the single target."""
    SILENCED = "silenced"
    """A silence covers the fault."""
    MAINTENANCE = "maintenance"
    """A maintenance window is open."""
    RAMP_UP = "ramp_up"
    """A window has just ended and what waited is let through slowly."""
    PAUSED = "paused"
    """The engine, this rule or this solution is paused."""
    OBSERVE_ONLY = "observe_only"
    """The rule may only observe."""
    SUGGEST_ONLY = "suggest_only"
    """The rule may only suggest; a human was told what would be run."""
    DENIED = "denied"
    """A human was asked and said no."""
    EXPIRED = "expired"
    """A human was asked and did not answer in time."""
    UNSETTLED = "unsettled"
    """A rollback failed on this target and no human has closed that incident."""
    LOCKED = "locked"
    """Another healing holds a resource that is needed."""
    RAIL_FAILED = "rail_failed"
    """A rail could not be asked; what can't be checked is not done."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One voter's opinion on one candidate."""

    voter: str
    """Who speaks: `ladder`, `record`, `risk`, …"""
    solution: str
    """The candidate."""
    score: float
    """0 to 1; higher is better."""
    reason: str
    """One sentence."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next about an incident."""

    id: str
    """Unique id, `de-…`."""
    incident_id: str
    """The incident."""
    fault_id: str
    """The fault that is healed."""
    at: float
    """Unix time."""
    strategy: Strategy
    """The chosen rung; `MANUAL` when a human is needed."""
    solution: str
    """Name of the chosen solution; empty when refused or manual."""
    confidence: float
    """Estimated probability that it heals, 0 to 1."""
    risk: Risk
    """Risk of the chosen solution."""
    requires_approval: bool
    """True when a human must say yes first."""
    refused: Refusal | None
    """Why nothing is run; None when something is."""
    reasoning: tuple[str, ...]
    """The reasons, in order, each one sentence."""
    votes: tuple[Vote, ...] = ()
    """Every opinion on every candidate."""
