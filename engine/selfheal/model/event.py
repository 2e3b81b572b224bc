"""Event: one thing a ruleset is shown, as the journal has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class InputKind(Enum):
    """What a ruleset is shown."""

    EVENT = "event"
    """A source, or `emit`, brought it."""
    POSTED = "posted"
    """An action posted it."""
    FACT = "fact"
    """A fact that is kept until it is retracted."""
    RETRACT = "retract"
    """Facts that are to be forgotten; `meta.partial` says how the body is compared."""
    TICK = "tick"
    """Time that passed and fired a rule."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a ruleset is shown; from a source, after its filters."""

    id: str
    """Unique id, `ev-…`."""
    source: str
    """Name of the source in the rulebook."""
    received_at: float
    """Unix time at which it was taken in."""
    body: Mapping[str, Any]
    """Any JSON object; what conditions call `event`, its key `meta` included."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What the engine knows about it; never matched."""
    ruleset: str = ""
    """Who is shown it."""
    kind: InputKind = InputKind.EVENT
    """What it is to the ruleset."""
    moment: int = 0
    """Microseconds of the ruleset's own time at which it counts as having come."""
    origin: str = ""
    """`<firing>:<action>` of what an action made, so that a repeated action makes it once."""
    tries: int = 0
    """How often a starting engine has begun to match it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An event has been matched."""

    event_id: str
    """The event."""
    turn: int
    """The order in which the ruleset matched, from 1."""
    moment: int
    """The ruleset's time at which it was matched; never before the turn before it."""
    note: str = ""
    """Why it could not be matched; empty: it was."""


@dataclass(frozen=True, slots=True)
class MatcherState:
    """What the matcher of one ruleset remembers after one turn."""

    ruleset: str
    """The ruleset."""
    digest: str
    """Of the rules it belongs to; other rules can't take it up."""
    turn: int
    """The last turn it knows of."""
    moment: int
    """The ruleset's time then, microseconds."""
    at: float
    """Unix time then."""
    state: Mapping[str, Any]
    """The state; bodies of events are referred to by id."""
    event_ids: tuple[str, ...] = ()
    """The events it refers to; they stay in the journal."""


@dataclass(frozen=True, slots=True)
class JournalCounts:
    """What became of everything that was accepted and is still in the record."""

    accepted: int
    """Events, posted events, facts, retractions and ticks that fired."""
    unmatched: int
    """Of these, not matched yet."""
    matched: int
    """Of these, matched."""
    firings_pending: int
    """Firings whose actions have not ended."""
    firings_done: int
    """Firings whose actions have ended, well or not."""
    firings_dropped: int
    """Firings whose rule was gone."""
    firings_unknown: int
    """Firings with an action of which nobody knows whether it happened."""
