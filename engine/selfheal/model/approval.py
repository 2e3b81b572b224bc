"""Approval: a human is asked before a rung is run, and answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from selfheal.model.solution import Risk


class ApprovalState(Enum):
    """Where an approval stands."""

    PENDING = "pending"
    """Asked; the locks of its healing are held."""
    APPROVED = "approved"
    """As many as needed said yes."""
    DENIED = "denied"
    """One who may decide said no."""
    EXPIRED = "expired"
    """Nobody, or too few, answered in time: that is a no."""
    WITHDRAWN = "withdrawn"
    """The question is gone: the fault was resolved, or the healing stopped."""


class Need(Enum):
    """How many of the approvers must say yes."""

    ANY = "any"
    """One is enough."""
    ALL = "all"
    """Each of them must."""


class Channel(Enum):
    """By which way an answer came."""

    CLI = "cli"
    """`selfheal approve` or `deny` on the engine's machine."""
    API = "api"
    """The HTTP API, with a token."""
    LINK = "link"
    """A signed link that can be used once."""
    GRANT = "grant"
    """Given ahead of time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one human said."""

    who: str
    """Name of the person; of the operating system's user by CLI."""
    yes: bool
    """Approved, or denied."""
    why: str
    """In their words; may be empty."""
    at: float
    """Unix time."""
    channel: Channel
    """How."""


@dataclass(frozen=True, slots=True)
class Approval:
    """One question to a human."""

    id: str
    """Unique id, `ap-…`."""
    healing_id: str
    """The healing that waits for it."""
    incident_id: str
    """Its incident."""
    rung: int
    """Rung of the ladder that would be run."""
    solution: str
    """Name of the solution."""
    risk: Risk
    """Of the solution."""
    target: str
    """What it would be run on."""
    reasons: tuple[str, ...]
    """Why a human is asked, and what speaks for the solution."""
    need: Need
    """How many must say yes."""
    approvers: tuple[str, ...]
    """Who may answer; empty: anybody who can reach the engine."""
    asked_at: float
    """Unix time."""
    expires_at: float
    """Unix time after which it counts as denied."""
    state: ApprovalState = ApprovalState.PENDING
    """Where it stands."""
    answers: tuple[Answer, ...] = ()
    """In order."""
    ended_at: float | None = None
    """Unix time at which it was decided."""


class Heard(Enum):
    """What became of an answer."""

    COUNTED = "counted"
    """It counts; it may have decided the question."""
    REPEATED = "repeated"
    """The same person had said the same before."""
    TOO_LATE = "too_late"
    """The question was decided before, or its time was over."""
    NOT_ASKED = "not_asked"
    """The person is none of the approvers."""
    LINK_USED = "link_used"
    """The link has done its work before."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A yes given ahead of time, for what may be asked later."""

    id: str
    """Unique id, `gr-…`."""
    solution: str
    """Glob over names of solutions."""
    target: str
    """Glob over targets."""
    valid_from: float
    """Unix time."""
    valid_until: float
    """Unix time; no longer valid then."""
    uses: int
    """How many approvals it may be used for."""
    who: str
    """Who gave it."""
    why: str
    """In their words."""
    made_at: float
    """Unix time."""
    used: int = 0
    """How many approvals it was used for."""
    revoked_at: float | None = None
    """Unix time at which it was taken back."""
