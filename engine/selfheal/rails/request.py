"""What the rails are asked about: one healing at one stage, with everything that needed waiting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from selfheal.model import Autonomy, Fault, Key, Stage, host_name


@dataclass(frozen=True, slots=True)
class RailRequest:
    """One question; the gate gathers it, the rails only read it."""

    stage: Stage
    """Where the healing stands."""
    now: float
    """Unix time."""
    healing_id: str
    """The healing; its own doings never count against it."""
    target: str
    """What it works on: `Healing.resource`."""
    solution: str
    """Name of the solution of the rung that would be run."""
    rung: int = 0
    """Index of the rung."""
    fault: Fault | None = None
    """The fault as it is now; None for a run by hand."""
    hosts: tuple[str, ...] | None = None
    """Inventory names that the rung (at BATCH: the batch) would touch; empty: its host pattern
    matches none; None: it is not known, or the runbook needs no host of the inventory."""
    inventory: frozenset[str] = frozenset()
    """Every host of the inventory; empty: not known."""
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Each group that one of `hosts` is in (`all` and `ungrouped` are none) to its members."""
    autonomy: Autonomy | None = None
    """As written on the rule; None: the project's default."""
    override: str = ""
    """By hand: why the operator lifts every rail; empty: they bind."""

    @property
    def by_hand(self) -> bool:
        """An operator began it, not the engine."""
        return self.fault is None

    @property
    def reach(self) -> tuple[str, ...]:
        """What is noted as touched when the rails allow it: the target where no host is known."""
        return self.hosts or (self.host,)

    @property
    def host(self) -> str:
        """The host that the target is on: what is done to `web1:80` is done to `web1`."""
        return host_name(self.target)

    @property
    def key(self) -> Key:
        """Everything by which it is counted."""
        ruleset, rule = (self.fault.ruleset, self.fault.rule) if self.fault else ("", "")
        return Key(self.host, ruleset, rule, self.solution)
