"""Guards: what operators and the engine itself put in the way of healings, until it is lifted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from selfheal.model.rulebook import Autonomy


class MatchOp(Enum):
    """How a matcher compares; Alertmanager's four."""

    EQUAL = "="
    """The value is the text."""
    NOT_EQUAL = "!="
    """The value is another text."""
    REGEX = "=~"
    """The whole value matches the regular expression."""
    NOT_REGEX = "!~"
    """The whole value does not match it."""


@dataclass(frozen=True, slots=True)
class LabelMatcher:
    """One condition on a healing; those of one guard must all hold."""

    name: str
    """One of the engine's own (`type`, `target`, `host`, `rule`, …: docs/rails.md), or a label."""
    op: MatchOp
    """How."""
    value: str
    """With what; what is not there is compared as the empty text."""

    def __str__(self) -> str:
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.op.value}"{value}"'


class Scope(Enum):
    """What a pause holds."""

    GLOBAL = "global"
    """Every healing."""
    RULE = "rule"
    """Healings of one rule."""
    SOLUTION = "solution"
    """Attempts of one solution."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing new is begun until somebody resumes."""

    id: str
    """Unique id, `pa-…`."""
    scope: Scope
    """What it holds."""
    name: str
    """The rule or the solution; empty for everything."""
    reason: str
    """Why, in the operator's words."""
    who: str
    """Who paused."""
    since: float
    """Unix time."""
    until: float | None = None
    """Unix time at which it ends by itself; None: when somebody resumes."""
    ended_at: float | None = None
    """Unix time at which it was lifted; None while nobody did."""


@dataclass(frozen=True, slots=True)
class Silence:
    """What it matches is not acted on for a time."""

    id: str
    """Unique id, `si-…`."""
    matchers: tuple[LabelMatcher, ...]
    """All must hold."""
    starts_at: float
    """Unix time."""
    ends_at: float
    """Unix time; earlier than first said when it was expired by hand."""
    reason: str
    """Why, in the operator's words."""
    who: str
    """Who silenced."""
    created_at: float
    """Unix time."""


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A maintenance window of this once; those that come again are configuration."""

    id: str
    """Unique id, `mw-…`."""
    matchers: tuple[LabelMatcher, ...]
    """All must hold; none: everything."""
    starts_at: float
    """Unix time."""
    ends_at: float
    """Unix time; earlier than first said when it was ended by hand."""
    reason: str
    """Why, in the operator's words."""
    who: str
    """Who opened it."""
    created_at: float
    """Unix time."""


@dataclass(frozen=True, slots=True)
class AutonomyChange:
    """A rule's autonomy was changed beside its rulebook: by an operator, or by the engine."""

    id: str
    """Unique id, `au-…`."""
    ruleset: str
    """The ruleset."""
    rule: str
    """The rule."""
    level: Autonomy
    """What it may do from then on."""
    written: Autonomy
    """What the rulebook, or the default, said then; another word, once taken up, ends this."""
    reason: str
    """Why; of a demotion the evidence in one sentence."""
    who: str
    """Name of the operator; empty: the engine itself."""
    at: float
    """Unix time."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Healings that led to it; JSON."""


@dataclass(frozen=True, slots=True)
class Storm:
    """So many hosts are unhealthy together that single healings would do harm."""

    id: str
    """Unique id, `sm-…`."""
    group: str
    """The group; empty: the whole inventory."""
    members: tuple[str, ...]
    """Its hosts when the storm began."""
    began_at: float
    """Unix time."""
    calm_since: float | None = None
    """Unix time since which the share is below the threshold; None while it is not."""
    ended_at: float | None = None
    """Unix time at which it had been calm for long enough, or a human ended it; None: it holds."""
    ended_by: str = ""
    """The human who ended it; empty: it calmed down."""


class Ended(Enum):
    """How an attempt that was run ended, as rails see it."""

    WELL = "well"
    """Healed."""
    BADLY = "badly"
    """Failed, rolled back, or could not be rolled back."""
    UNCLEAR = "unclear"
    """Nothing proves one or the other."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is counted together: all that has each of the given values; empty: any."""

    target: str = ""
    """The host that is worked on."""
    ruleset: str = ""
    """Ruleset of the rule."""
    rule: str = ""
    """Rule that opened the fault."""
    solution: str = ""
    """The solution."""


@dataclass(frozen=True, slots=True)
class Count:
    """How much was begun in a window."""

    number: int
    """Healings."""
    oldest: float | None = None
    """Unix time at which the first of them began; None when there is none, or it has yet to."""


@dataclass(frozen=True, slots=True)
class Failures:
    """What went wrong with a solution since it last went well."""

    number: int
    """Attempts that ended badly."""
    tripped: bool
    """As many as a breaker takes lay within its window at some time."""
    last: float | None = None
    """Unix time at which the newest ended."""
