"""Steps: each playbook run, its intent first, and its tasks."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from selfheal.model import PlaybookResult, StepRun, TaskResult
from selfheal.store.codec import from_row, to_row, to_text
from selfheal.store.repository import Repository

_OF_HEALING = """
SELECT steps.* FROM steps JOIN attempts ON attempts.id = steps.attempt_id
WHERE attempts.healing_id = ? ORDER BY steps.rowid
"""


class Steps(Repository):
    """Implements the steps and tasks of `ports.HealingRecord`."""

    def add_step(self, step: StepRun) -> None:
        # NULL, not '': an action's run belongs to no attempt and the foreign key says so.
        attempt = {"attempt_id": step.attempt_id or None}
        self._db.insert("steps", to_row(step) | attempt | {"stats": "{}"})

    def add_task(self, ident: str, seq: int, task: TaskResult, at: float) -> None:
        self._db.insert("tasks", {"ident": ident, "seq": seq, "at": at} | to_row(task))

    def end_step(self, result: PlaybookResult) -> None:
        """Also complete the tasks: those of an adopted run were never told one by one."""
        with self._db.writing():
            self._update(
                "steps",
                result.ident,
                {
                    "state": result.state.value,
                    "ended_at": result.ended_at,
                    "rc": result.rc,
                    "message": result.message,
                    "stats": to_text(result.stats),
                },
                key="ident",
            )
            if len(result.tasks) > len(self.tasks(result.ident)):
                self._db.execute("DELETE FROM tasks WHERE ident = ?", (result.ident,))
                for seq, task in enumerate(result.tasks, 1):
                    self.add_task(result.ident, seq, task, result.ended_at)

    def tasks(self, ident: str) -> list[TaskResult]:
        rows = self._db.rows("SELECT * FROM tasks WHERE ident = ? ORDER BY seq", (ident,))
        return [from_row(TaskResult, row) for row in rows]

    def _steps_by_attempt(self, healing_id: str) -> dict[str, list[StepRun]]:
        steps: dict[str, list[StepRun]] = defaultdict(list)
        for row in self._db.rows(_OF_HEALING, (healing_id,)):
            steps[row["attempt_id"]].append(_step(row))
        return steps


def _step(row: dict[str, Any]) -> StepRun:
    return from_row(StepRun, row, attempt_id=row["attempt_id"] or "")
