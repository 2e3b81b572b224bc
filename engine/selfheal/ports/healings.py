"""Healings in the record, and what it knows of solutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from selfheal.model import (
    Attempt,
    Healing,
    HealingState,
    Outcome,
    PlaybookResult,
    Solution,
    SolutionRecord,
    StepRun,
    TaskResult,
    ValidationResult,
    Waiting,
)
from selfheal.ports.locks import Lease


class HealingRecord(Protocol):
    """Healings, attempts, steps, validations in the record: intent before effect."""

    def add_healing(self, healing: Healing) -> None:
        """Accept as QUEUED. Raises StoreError when the fault has an open healing already."""
        ...

    def replace_ladder(
        self, healing_id: str, ladder: Sequence[Solution], locks: Sequence[str]
    ) -> bool:
        """Give a healing another ladder; False, and nothing changed, once anything of it began."""
        ...

    def start_healing(self, healing_id: str, at: float, lease: Lease = ...) -> bool:
        """QUEUED to RUNNING with all its locks; False, and nothing changed, while a living
        holder has one of them."""
        ...

    def set_waiting(self, healing_id: str, waiting: Waiting | None) -> None:
        """Note why the healing does not go on; its start and its end clear that."""
        ...

    def end_healing(self, healing_id: str, outcome: Outcome, reason: str, at: float) -> None:
        """The first outcome stands; its locks are free."""
        ...

    def request_stop(self, healing_id: str, why: str) -> None:
        """Leave the message that this healing is to be stopped and rolled back."""
        ...

    def stops_requested(self) -> list[str]:
        """Ids of the healings that are to be stopped and have not ended."""
        ...

    def add_attempt(self, attempt: Attempt) -> None: ...

    def end_attempt(self, attempt_id: str, outcome: Outcome, at: float) -> None: ...

    def add_step(self, step: StepRun) -> None:
        """Record the intent (state RUNNING) before the playbook is started."""
        ...

    def add_task(self, ident: str, seq: int, task: TaskResult, at: float) -> None: ...

    def end_step(self, result: PlaybookResult) -> None: ...

    def begin_validation(self, attempt_id: str, at: float) -> float:
        """Note when the validation of the attempt began; return when it first did."""
        ...

    def set_validations(
        self, attempt_id: str, results: Sequence[ValidationResult], at: float
    ) -> None: ...

    def healing(self, healing_id: str) -> Healing:
        """With attempts, steps and validations. Raises NotFoundError; a prefix is enough."""
        ...

    def healings(self, *, limit: int = 50, state: str = "", incident_id: str = "") -> list[Healing]:
        """Newest first; complete."""
        ...

    def newest_state(self, incident_id: str) -> HealingState | None:
        """Return the state of the incident's newest healing; None when it has none."""
        ...

    def tasks(self, ident: str) -> list[TaskResult]:
        """The Ansible tasks of one step, in order."""
        ...


class KnowledgeRecord(Protocol):
    """What the record says about solutions."""

    def solution_record(self, name: str) -> SolutionRecord: ...

    def solution_records(self) -> list[SolutionRecord]: ...
