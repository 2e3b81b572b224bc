"""Healings and their attempts: intent before effect, and uniqueness kept by the file itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from selfheal.errors import StoreError
from selfheal.model import (
    Attempt,
    Healing,
    HealingState,
    Outcome,
    Solution,
    ValidationResult,
    Waiting,
    host_name,
)
from selfheal.ports.locks import Lease
from selfheal.store.codec import from_row, to_row, to_text
from selfheal.store.connection import Conflict
from selfheal.store.locks import Locks
from selfheal.store.steps import Steps

_VALIDATIONS = """
SELECT validations.* FROM validations JOIN attempts ON attempts.id = validations.attempt_id
WHERE attempts.healing_id = ? ORDER BY validations.seq
"""

_NOBODY = Lease()


class Healings(Steps, Locks):
    """Implements the healings of `ports.HealingRecord`."""

    def add_healing(self, healing: Healing) -> None:
        queued = {"state": HealingState.QUEUED.value, "host": host_name(healing.resource)}
        try:
            self._db.insert("healings", to_row(healing, without=frozenset({"attempts"})) | queued)
        except Conflict as error:
            if "fault_id" not in str(error):
                raise
            raise Conflict(f"the fault {healing.fault_id} has an open healing already") from error

    def replace_ladder(
        self, healing_id: str, ladder: Sequence[Solution], locks: Sequence[str]
    ) -> bool:
        with self._db.writing():
            healing = self.healing(healing_id)
            if healing.state is not HealingState.QUEUED or healing.attempts:
                return False
            row = to_row(replace(healing, ladder=tuple(ladder), locks=tuple(locks)))
            self._update("healings", healing_id, {name: row[name] for name in ("ladder", "locks")})
            return True

    def start_healing(self, healing_id: str, at: float, lease: Lease = _NOBODY) -> bool:
        with self._db.writing():
            state = self._one("healings", healing_id)["state"]
            if state != HealingState.QUEUED.value or not self.take_locks(healing_id, at, lease):
                return False
            running = {"state": HealingState.RUNNING.value, "started_at": at}
            self._update("healings", healing_id, running | {"waiting": to_text(None)})
            return True

    def set_waiting(self, healing_id: str, waiting: Waiting | None) -> None:
        self._update("healings", healing_id, {"waiting": to_text(waiting)})

    def end_healing(self, healing_id: str, outcome: Outcome, reason: str, at: float) -> None:
        """The first outcome stands. Raises StoreError for another one later."""
        with self._db.writing():
            row = self._one("healings", healing_id)
            if row["state"] == HealingState.DONE.value:
                if row["outcome"] != outcome.value:
                    raise StoreError(f"healing {healing_id} has ended as {row['outcome']} already")
                return
            done = {"state": HealingState.DONE.value, "outcome": outcome.value}
            done |= {"reason": reason, "waiting": to_text(None)}
            self._update("healings", healing_id, done | {"ended_at": at})
            self._free("healing_id", [healing_id])

    def request_stop(self, healing_id: str, why: str) -> None:
        self._update("healings", healing_id, {"stop_requested": why})

    def stops_requested(self) -> list[str]:
        rows = self._db.rows(
            "SELECT id FROM healings WHERE state != 'done' AND stop_requested != ''"
        )
        return [row["id"] for row in rows]

    def add_attempt(self, attempt: Attempt) -> None:
        row = to_row(attempt, without=frozenset({"steps", "validations"}))
        self._db.insert("attempts", row | {"validated_at": None})

    def end_attempt(self, attempt_id: str, outcome: Outcome, at: float) -> None:
        self._update("attempts", attempt_id, {"outcome": outcome.value, "ended_at": at})

    def begin_validation(self, attempt_id: str, at: float) -> float:
        with self._db.writing():
            since = self._one("attempts", attempt_id)["validating_since"]
            if since is None:
                self._update("attempts", attempt_id, {"validating_since": at})
            return at if since is None else float(since)

    def set_validations(
        self, attempt_id: str, results: Sequence[ValidationResult], at: float
    ) -> None:
        with self._db.writing():
            self._update("attempts", attempt_id, {"validated_at": at})
            self._db.execute("DELETE FROM validations WHERE attempt_id = ?", (attempt_id,))
            for seq, result in enumerate(results):
                key = {"attempt_id": attempt_id, "seq": seq}
                self._db.insert("validations", key | to_row(result))

    def healing(self, healing_id: str) -> Healing:
        with self._db.reading():
            return self._complete(self._by_prefix("healings", healing_id))

    def healings(self, *, limit: int = 50, state: str = "", incident_id: str = "") -> list[Healing]:
        with self._db.reading():
            order = "rowid DESC"  # as they were added, whatever the clock did
            rows = self._where("healings", order, limit, state=state, incident_id=incident_id)
            return [self._complete(row) for row in rows]

    def newest_state(self, incident_id: str) -> HealingState | None:
        row = self._db.row(
            "SELECT state FROM healings WHERE incident_id = ? ORDER BY rowid DESC LIMIT 1",
            (incident_id,),
        )
        return HealingState(row["state"]) if row else None

    def _complete(self, row: dict[str, Any]) -> Healing:
        attempts = self._db.rows(
            "SELECT * FROM attempts WHERE healing_id = ? ORDER BY rowid", (row["id"],)
        )
        if not attempts:
            return from_row(Healing, row, attempts=())
        steps = self._steps_by_attempt(row["id"])
        checks = self._db.rows(_VALIDATIONS, (row["id"],))
        return from_row(
            Healing,
            row,
            attempts=tuple(_attempt(line, steps.get(line["id"], []), checks) for line in attempts),
        )


def _attempt(row: dict[str, Any], steps: list[Any], checks: list[dict[str, Any]]) -> Attempt:
    validated = row["validated_at"] is not None
    results = tuple(
        from_row(ValidationResult, check) for check in checks if check["attempt_id"] == row["id"]
    )
    return from_row(Attempt, row, steps=tuple(steps), validations=results if validated else None)
