"""Firing: a rule fired, and how far its actions have come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True)
class Matched:
    """Where a body that matched can be read again."""

    event_id: str
    """The event or fact in the journal."""
    note: Mapping[str, Any] | None = None
    """What a throttle wrote into its `meta.rule_engine`."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One firing of one rule."""

    ruleset: str
    """The ruleset."""
    rule: str
    """The rule."""
    matches: Mapping[str, Mapping[str, Any]]
    """Alias (`m`, `m_0`, or the given name) to the body of the message that matched."""
    at: float
    """Unix time at which the event that made it fire was taken in, or its timer was due."""
    event_ids: tuple[str, ...] = ()
    """Ids of the journal's events among the matches; facts are not among them."""
    id: str = ""
    """Tells it from other firings in the record; empty until the engine acts on it."""
    sources: Mapping[str, Matched] = field(default_factory=dict)
    """Alias to where its body can be read again."""


class FiringState(Enum):
    """What became of a firing."""

    PENDING = "pending"
    """Its actions have not all ended."""
    DONE = "done"
    """Its actions have ended, well or not."""
    DROPPED = "dropped"
    """Its rule was gone, or had other actions, when an engine took it up."""
    UNKNOWN = "unknown"
    """Its actions have ended, and of one of them nobody knows whether it happened."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A firing that an engine left, and how far it had come."""

    firing: Firing
    """What fired."""
    actions: tuple[str, ...]
    """Names of its rule's actions when it fired."""
    next_action: int = 0
    """Index of the first action that has not ended."""
    begun: str = ""
    """Not empty: that action was begun; the ident of its run, where it has one."""
    note: str = ""
    """Which of its actions are unknown."""


def annotated(body: Mapping[str, Any], note: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the body with `meta.rule_engine`; a `meta` that is no map is left as it is."""
    meta = body.get("meta", {})
    if not isinstance(meta, Mapping):
        return body
    return {**body, "meta": {**meta, "rule_engine": dict(note)}}
