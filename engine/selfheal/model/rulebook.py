"""Rulebook: what the operator wrote, checked; data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from selfheal.model.condition import Condition
from selfheal.model.solution import Solution


class ExecutionStrategy(Enum):
    """Order in which a ruleset's firings are acted on."""

    SEQUENTIAL = "sequential"
    """One firing's actions end before the next firing's begin."""
    PARALLEL = "parallel"
    """Firings run side by side; the actions of one still run in order."""


class Autonomy(Enum):
    """What a rule's healings may do without a human; ordered from least to most."""

    OBSERVE = "observe"
    """Record the fault, nothing more."""
    SUGGEST = "suggest"
    """Tell a human what would be run."""
    APPROVE = "approve"
    """Run it when a human says yes."""
    AUTO = "auto"
    """Run it, where the policy of approval asks for nobody."""

    @property
    def level(self) -> int:
        """Position in the order, 0 for observe."""
        return list(Autonomy).index(self)


class ThrottleKind(Enum):
    """When a rule that keeps matching may fire."""

    ONCE_WITHIN = "once_within"
    """At the first match, then not again for the window; a group at a time."""
    ONCE_AFTER = "once_after"
    """At the end of the window, once, for all groups that matched."""
    ACCUMULATE_WITHIN = "accumulate_within"
    """At the threshold-th match within the window."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """A rule's throttle."""

    kind: ThrottleKind
    window: float
    """Seconds."""
    window_text: str
    """As written, such as `5 minutes`; events of the rule carry it in upper case."""
    group_by: tuple[str, ...]
    """Attributes as written, such as `event.meta.hosts`."""
    threshold: int | None = None
    """For `accumulate_within`."""


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """One filter of a source."""

    name: str
    """Such as `eda.builtin.json_filter`."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Its arguments."""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One event source of a ruleset."""

    name: str
    """Given name, else the type's."""
    type: str
    """Such as `eda.builtin.range`, `alertmanager`, `selfheal.http_check`."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Its arguments; Jinja over the rulebook's vars is rendered when it starts."""
    filters: tuple[FilterSpec, ...] = ()
    """Run in order on each event."""


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action of a rule."""

    name: str
    """Such as `debug`, `run_playbook`, `heal`."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Its arguments; Jinja in values is rendered when it runs."""
    place: str = ""
    """`file:line:column` of the action, for messages."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    """Unique in its ruleset."""
    condition: Condition
    """When it fires."""
    actions: tuple[ActionSpec, ...]
    """What it does then, in order."""
    enabled: bool = True
    """A rule that is not enabled never fires."""
    throttle: Throttle | None = None
    """How often it may fire."""
    condition_text: str = ""
    """As written, for `explain`."""
    place: str = ""
    """`file:line:column` of the rule."""
    autonomy: Autonomy | None = None
    """As written; None: the project's default."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Sources and the rules that watch them."""

    name: str
    """Unique in its file."""
    hosts: tuple[str, ...]
    """Ansible host patterns its playbooks run on."""
    sources: tuple[SourceSpec, ...]
    """Where its events come from."""
    rules: tuple[Rule, ...]
    """In order; the first that matches an event takes it unless `match_multiple_rules`."""
    gather_facts: bool = False
    """Facts of the inventory's hosts are asserted before the first event."""
    default_events_ttl: float = 7200.0
    """Seconds for which a half-matched event is kept."""
    default_events_ttl_text: str = ""
    """The same as written; empty when the rulebook doesn't say."""
    match_multiple_rules: bool = False
    """An event may fire several rules."""
    execution_strategy: ExecutionStrategy | None = None
    """How its firings are acted on; None: as the engine is told, sequentially by default."""
    solutions: tuple[Solution, ...] = ()
    """What it adds to the knowledge base."""
    place: str = ""
    """`file:line:column`."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """One file."""

    path: str
    """As given."""
    rulesets: tuple[Ruleset, ...]
    """In order."""
    digest: str = ""
    """SHA-256 of the file's bytes: tells one edition from another in the record."""
