"""The interfaces between the stages, in the order the data flows.

Each port has an in-memory twin for tests and users: `Record` is `store.open_record(":memory:")`,
`PlaybookRunner` is `recovery.executors.memory.MemoryRunner`, `Notifier` is
`notification.memory.MemoryNotifier`, `Clock` (in `clock.py`) is `ManualClock`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from selfheal.model import (
    Attempt,
    Decision,
    Entry,
    Event,
    Fault,
    FaultState,
    Firing,
    Healing,
    Incident,
    IncidentState,
    Kind,
    Outcome,
    PlaybookRequest,
    PlaybookResult,
    SolutionRecord,
    StepRun,
    TaskResult,
    ValidationResult,
)

JSON = Mapping[str, Any]


class EventQueue(Protocol):
    """What a source puts its events into: ansible-rulebook's plugin contract.

    A source is `async def main(queue: EventQueue, args: dict) -> None`.
    """

    async def put(self, event: JSON) -> None:
        """Hand over one event; returns when it is taken in (journalled), so a source that
        acknowledges to somebody does so after this. Waits while the engine is behind."""
        ...


class Matcher(Protocol):
    """The rules of one ruleset. Not thread-safe; never blocks for longer than a second."""

    def event(self, body: JSON, event_id: str = "") -> list[Firing]:
        """Match one event; return what fires, in the order in which to act."""
        ...

    def assert_fact(self, fact: JSON) -> list[Firing]:
        """Keep a fact until it is retracted; return what fires."""
        ...

    def retract_fact(self, fact: JSON, *, partial: bool) -> list[Firing]:
        """Forget the facts equal to `fact`, or with `partial` those that contain it."""
        ...

    def facts(self) -> list[JSON]:
        """The facts that stand."""
        ...

    def due(self) -> float | None:
        """Monotonic time of the next timer (timeout, throttle, ttl); None when there is none."""
        ...

    def tick(self) -> list[Firing]:
        """Let every timer run whose time has come; return what fires."""
        ...

    def close(self) -> None:
        """Stop helpers (the join engine's child)."""
        ...


class PlaybookRunner(Protocol):
    """Runs playbooks (and ad-hoc modules) by Ansible."""

    async def run(
        self, request: PlaybookRequest, on_task: Callable[[TaskResult], None] | None = None
    ) -> PlaybookResult:
        """Run and wait; `on_task` is called in the event loop as each task ends.

        Never raises for a playbook that fails: the result says so. Raises `ExecutionError` when
        it can't be started. Cancelling the awaiting task ends the run and every process of it
        before CancelledError is passed on."""
        ...

    async def cancel(self, ident: str) -> bool:
        """End that run; `run` then returns state CANCELLED. False when it isn't running."""
        ...


class Notifier(Protocol):
    """Tells a human."""

    async def notify(self, subject: str, body: str, data: JSON) -> None:
        """Take the message over; it is in the timeline when this returns, and delivered in the
        background. Raises nothing: a delivery that failed is in the timeline and the log."""
        ...


class FaultRecord(Protocol):
    """Faults and incidents in the record."""

    def open_fault(self, fault: Fault) -> tuple[Fault, bool]:
        """Open the fault, with an incident of its own, or count it as a repeat.

        Returns the recorded fault and True when it is new. A repeat has the fingerprint and the
        `starts_at` of a recorded fault, or the fingerprint of one that stands: open, or handed to
        a human (MANUAL) and not resolved since."""
        ...

    def resolve_faults(self, component: str, target: str, at: float) -> list[Fault]:
        """Mark the standing faults (OPEN, MANUAL) of component, and of target unless empty, as
        resolved; return them as they are now."""
        ...

    def set_fault_state(self, fault_id: str, state: FaultState, at: float) -> None: ...

    def set_incident_state(self, incident_id: str, state: IncidentState, at: float) -> None: ...

    def fault(self, fault_id: str) -> Fault:
        """Raises NotFoundError."""
        ...

    def incident(self, incident_id: str) -> Incident:
        """Raises NotFoundError; an unambiguous prefix of the id is enough."""
        ...

    def incidents(self, *, limit: int = 50, state: str = "") -> list[Incident]:
        """Newest first."""
        ...


class HealingRecord(Protocol):
    """Healings, attempts, steps, validations in the record: intent before effect."""

    def add_healing(self, healing: Healing) -> None:
        """Accept as QUEUED. Raises StoreError when the fault has an open healing already."""
        ...

    def start_healing(self, healing_id: str, at: float) -> bool:
        """QUEUED to RUNNING; False, and nothing changed, while the resource is busy."""
        ...

    def end_healing(self, healing_id: str, outcome: Outcome, reason: str, at: float) -> None: ...

    def request_stop(self, healing_id: str, why: str) -> None:
        """Leave the message that this healing is to be stopped and rolled back."""
        ...

    def add_attempt(self, attempt: Attempt) -> None: ...

    def end_attempt(self, attempt_id: str, outcome: Outcome, at: float) -> None: ...

    def add_step(self, step: StepRun) -> None:
        """Record the intent (state RUNNING) before the playbook is started."""
        ...

    def add_task(self, ident: str, seq: int, task: TaskResult, at: float) -> None: ...

    def end_step(self, result: PlaybookResult) -> None: ...

    def set_validations(
        self, attempt_id: str, results: Sequence[ValidationResult], at: float
    ) -> None: ...

    def healing(self, healing_id: str) -> Healing:
        """With attempts, steps and validations. Raises NotFoundError; a prefix is enough."""
        ...

    def healings(self, *, limit: int = 50, state: str = "", incident_id: str = "") -> list[Healing]:
        """Newest first; complete."""
        ...

    def tasks(self, ident: str) -> list[TaskResult]:
        """The Ansible tasks of one step, in order."""
        ...


class KnowledgeRecord(Protocol):
    """What the record says about solutions."""

    def solution_record(self, name: str) -> SolutionRecord: ...

    def solution_records(self) -> list[SolutionRecord]: ...


class Timeline(Protocol):
    """The append-only story."""

    def tell(
        self,
        kind: Kind,
        text: str,
        *,
        incident_id: str = "",
        healing_id: str = "",
        data: JSON | None = None,
    ) -> Entry:
        """Append one entry, on disk when it returns unless inside a transaction."""
        ...

    def entries(
        self, *, after: int = 0, limit: int = 1000, incident_id: str = "", healing_id: str = ""
    ) -> list[Entry]:
        """Entries with `seq` > after, oldest first."""
        ...

    def last_entry(self, kind: Kind) -> Entry | None:
        """The newest entry of that kind."""
        ...


class Inbox(Protocol):
    """Messages from other processes (CLI) to the engine, on the one SQLite file."""

    def post(self, kind: str, payload: JSON, at: float) -> int:
        """Leave a message (`emit`, `stop`, `reload`); on disk when it returns."""
        ...

    def take(self) -> list[tuple[int, str, JSON]]:
        """The messages not done yet, oldest first: (id, kind, payload)."""
        ...

    def done(self, message_id: int, note: str = "") -> None: ...


class Journal(Protocol):
    """Events on disk."""

    def add(self, events: Sequence[Event]) -> None:
        """Write all in one transaction; on disk when it returns."""
        ...

    def event(self, event_id: str) -> Event:
        """Raises NotFoundError."""
        ...


class Record(FaultRecord, HealingRecord, KnowledgeRecord, Timeline, Inbox, Journal, Protocol):
    """Everything on the one SQLite file."""

    def add_decision(self, decision: Decision) -> None: ...

    def decisions(self, incident_id: str) -> list[Decision]:
        """Oldest first."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Group writes: all are on disk at the end of the block, none if it raises.

        Await nothing inside: other tasks' writes would join in, other processes wait."""
        ...

    def close(self) -> None: ...


class Runtime(Protocol):
    """Durable execution of healings. Nothing above this port knows which engine is behind it."""

    async def submit(self, healing: Healing) -> None:
        """Accept a healing; it is on disk when this returns and runs when its resource is free."""
        ...

    async def stop(self, healing_id: str, why: str) -> None:
        """Ask the healing to stop: the running step is ended, what ran is rolled back."""
        ...

    async def drain(self) -> None:
        """Take no new work and wait for what runs."""
        ...


Heal = Callable[[Fault], Awaitable[None]]
"""What the `heal` action calls: open or join the fault, and see to it."""
Resolve = Callable[[str, str], Awaitable[None]]
"""What the `resolve` action calls: component and target."""
