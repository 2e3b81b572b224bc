"""Runs by hand hold a lease: a lock that the kernel lets go when their process dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from selfheal.model import (
    Healing,
    HealingState,
    Kind,
    Outcome,
    PlaybookResult,
    StepRun,
    StepState,
)
from selfheal.ports import Record


def _file(state: Path, healing_id: str) -> Path:
    return state / "by-hand" / healing_id


@contextlib.contextmanager
def lease(state: Path, healing_id: str) -> Iterator[None]:
    """Hold the lease of one run by hand; take it before the healing is on record."""
    path = _file(state, healing_id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def reclaim(record: Record, state: Path, now: float) -> None:
    """End the runs by hand whose process has died, so that their resources are free again.

    Nothing is undone: whoever started the run is there to look.
    """
    for open_state in (HealingState.RUNNING, HealingState.QUEUED):
        for healing in record.healings(limit=1_000_000, state=open_state.value):
            if healing.origin == "operator" and not _is_held(_file(state, healing.id)):
                _end(record, healing, now)
                _file(state, healing.id).unlink(missing_ok=True)


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _end(record: Record, healing: Healing, now: float) -> None:
    began = bool(healing.attempts)
    reason = "the process that ran it died; " + (
        "what it left is unknown, nothing was undone" if began else "nothing had begun"
    )
    with record.transaction():
        for attempt in healing.attempts:
            for step in attempt.steps:
                if step.state is StepState.RUNNING:
                    record.end_step(_unknown(step, now))
            if attempt.outcome is None:
                record.end_attempt(attempt.id, Outcome.UNKNOWN, now)
        outcome = Outcome.UNKNOWN if began else Outcome.FAILED
        record.end_healing(healing.id, outcome, reason, now)
        record.tell(Kind.HEALING, f"{outcome.value}: {reason}", healing_id=healing.id)


def _unknown(step: StepRun, now: float) -> PlaybookResult:
    return PlaybookResult(
        ident=step.ident,
        state=StepState.UNKNOWN,
        rc=None,
        started_at=step.started_at,
        ended_at=now,
        message="the process that ran it died",
    )
