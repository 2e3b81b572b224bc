"""A record in memory with a clock to turn, and healings that begin and end on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from selfheal.clock import ManualClock
from selfheal.config import Rails
from selfheal.config.matchers import parse_matcher
from selfheal.model import (
    Attempt,
    Fault,
    FaultState,
    Healing,
    HealingState,
    Maintenance,
    Outcome,
    Pause,
    Refused,
    Risk,
    Scope,
    Severity,
    Silence,
    Solution,
    Stage,
    Strategy,
    new_id,
)
from selfheal.rails import RailRequest, check
from selfheal.store import SqliteRecord, open_record

START = 1_700_000_000.0
OFF: dict[str, Any] = {
    "limits": [],
    "cooldown": False,
    "settle": False,
    "breaker": False,
    "flapping": False,
    "storm": False,
    "ramp_up": False,
}
"""Every rail of the configuration off: a test switches on what it is about."""


def rails(**settings: Any) -> Rails:
    """The configuration with only these rails on, as if it were written."""
    return Rails.model_validate(OFF | settings)


class World:
    """What happens, and what the rails say to it."""

    def __init__(self, config: Rails | None = None) -> None:
        self.clock = ManualClock(START)
        self.record: SqliteRecord = open_record(":memory:", self.clock)
        self.config = config or rails()
        self.inventory: frozenset[str] = frozenset()
        self.groups: dict[str, frozenset[str]] = {}
        self.faults: dict[str, Fault] = {}

    @property
    def now(self) -> float:
        return self.clock.now()

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.clock._elapsed += seconds  # nobody sleeps on this clock: no loop is needed to move it

    def restart(self) -> None:
        """Go on with what another process would find on the disk, and nothing else."""
        reopened = open_record(":memory:", self.clock)
        self.record.db.conn.backup(reopened.db.conn)
        self.record.close()
        self.record = reopened

    def fault(self, target: str = "web1", **changes: Any) -> Fault:
        """Open a fault; one that stands is the same."""
        fault = Fault(
            id=new_id("ft"),
            fingerprint=f"{target} {changes.get('rule', 'down')}",
            type="connection_failure",
            severity=Severity.CRITICAL,
            component="backend",
            target=target,
            message="down",
            starts_at=self.now,
            last_seen=self.now,
            ruleset="web",
            rule="down",
        )
        found, _ = self.record.open_fault(replace(fault, **changes))
        return found

    def close(self, fault: Fault, state: FaultState = FaultState.HEALED) -> None:
        """The fault is over."""
        self.record.set_fault_state(fault.id, state, self.now)

    def healing(self, target: str = "web1", fault: Fault | None = None, **changes: Any) -> Healing:
        """Queue a healing; of a new fault of the target unless one is given."""
        fault = fault or self.fault(target)
        solution = Solution("restart", "*", Strategy.QUICK_FIX, Risk.LOW, ())
        healing = Healing(
            id=new_id("he"),
            incident_id=fault.incident_id,
            fault_id=fault.id,
            resource=target,
            state=HealingState.QUEUED,
            ladder=(solution,),
            context={},
            created_at=self.now,
        )
        healing = replace(healing, **changes)
        self.record.add_healing(healing)
        self.faults[healing.id] = fault
        return healing

    def by_hand(self, target: str = "web1", **changes: Any) -> Healing:
        """Queue a healing that an operator began."""
        healing = self.healing(target, fault_id="", incident_id="", origin="operator", **changes)
        del self.faults[healing.id]
        return healing

    def request(self, healing: Healing, stage: Stage = Stage.START, **changes: Any) -> RailRequest:
        """What the gate would ask."""
        hosts = (healing.resource,) if healing.resource in self.inventory else None
        request = RailRequest(
            stage=stage,
            now=self.now,
            healing_id=healing.id,
            target=healing.resource,
            solution="restart",
            fault=self.faults.get(healing.id),
            hosts=hosts,
            inventory=self.inventory,
            groups=self.groups,
        )
        return replace(request, **changes)

    def ask(self, healing: Healing, stage: Stage = Stage.START, **changes: Any) -> Refused | None:
        """What the rails answer."""
        return check(self.request(healing, stage, **changes), self.record, self.config)

    def admit(self, healing: Healing, solution: str = "restart", hosts: Any = ()) -> None:
        """Let it through to its locks: it runs."""
        self.record.admit(healing.id, solution, hosts or (healing.resource,), self.now)
        assert self.record.start_healing(healing.id, self.now)

    def begin(self, healing: Healing, solution: str = "restart", **changes: Any) -> Attempt:
        """Begin an attempt, letting the healing through first where that is to be done."""
        if self.record.healing(healing.id).state is HealingState.QUEUED:
            self.admit(healing, solution, changes.get("hosts"))
        attempt = Attempt(new_id("at"), healing.id, 0, solution, self.now)
        attempt = replace(attempt, **changes)
        self.record.add_attempt(attempt)
        return attempt

    def end(self, attempt: Attempt, outcome: Outcome = Outcome.HEALED) -> None:
        """End the attempt, its healing, and the fault."""
        self.record.end_attempt(attempt.id, outcome, self.now)
        self.record.end_healing(attempt.healing_id, outcome, "", self.now)
        if fault := self.faults.get(attempt.healing_id):
            self.close(fault)

    def run(
        self, target: str = "web1", outcome: Outcome = Outcome.HEALED, solution: str = "restart"
    ) -> Healing:
        """A whole healing, in no time."""
        healing = self.healing(target)
        self.end(self.begin(healing, solution), outcome)
        return healing

    def pause(
        self, scope: Scope = Scope.GLOBAL, name: str = "", for_: float | None = None
    ) -> Pause:
        until = None if for_ is None else self.now + for_
        pause = Pause(new_id("pa"), scope, name, "moving", "ann", self.now, until)
        self.record.add_pause(pause)
        return pause

    def silence(self, *matchers: str, for_: float = 100.0, in_: float = 0.0) -> Silence:
        silence = Silence(
            new_id("si"),
            tuple(map(parse_matcher, matchers)),
            self.now + in_,
            self.now + in_ + for_,
            "deploy",
            "ann",
            self.now,
        )
        self.record.add_silence(silence)
        return silence

    def window(self, *matchers: str, for_: float = 100.0, in_: float = 0.0) -> Maintenance:
        window = Maintenance(
            new_id("mw"),
            tuple(map(parse_matcher, matchers)),
            self.now + in_,
            self.now + in_ + for_,
            "new disks",
            "ann",
            self.now,
        )
        self.record.add_maintenance(window)
        return window
