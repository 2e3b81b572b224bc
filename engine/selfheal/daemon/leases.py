"""Who is alive: engines and runs by hand hold a file lock that the kernel lets go when they die."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path

from selfheal.clock import Clock
from selfheal.daemon.lock import holder_of
from selfheal.model import (
    Healing,
    HealingState,
    Kind,
    Lock,
    Outcome,
    PlaybookResult,
    StepRun,
    StepState,
)
from selfheal.ports import Record

_ENGINE, _BY_HAND = "engine", "by hand"
_GIVEN_UP_AFTER = 3600.0  # seconds after its expiry a lease of nobody we know is void


def engine_holder() -> str:
    """Return the name under which this engine holds locks."""
    return f"{_ENGINE} {os.getpid()}"


def by_hand_holder() -> str:
    """Return the name under which this run by hand holds locks."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    return f"{_BY_HAND} {os.getpid()} ({user})"


def death_of_holders(state: Path, clock: Clock) -> Callable[[Lock], bool]:
    """Return what tells whether the holder of a lock is dead for certain.

    A process that was stopped for an hour still holds its file lock, and is not dead."""

    def is_dead(lock: Lock) -> bool:
        if lock.holder.startswith(_BY_HAND) or _file(state, lock.healing_id).exists():
            return not _is_held(_file(state, lock.healing_id))
        if lock.holder.startswith(_ENGINE):
            # Another engine than the dead one may run by now: it takes its healings up again.
            return holder_of(state) is None
        return lock.expires_at + _GIVEN_UP_AFTER < clock.now()

    return is_dead


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


def reclaim(record: Record, state: Path, now: float) -> list[str]:
    """End the runs by hand whose process has died, so that their resources are free again.

    Nothing is undone: whoever started the run is there to look. Returns the idents of their
    playbooks, of which processes may be left.
    """
    ended: list[str] = []
    for open_state in (HealingState.RUNNING, HealingState.QUEUED):
        for healing in record.healings(limit=1_000_000, state=open_state.value):
            if healing.origin == "operator" and not _is_held(_file(state, healing.id)):
                ended += [
                    run.ident
                    for attempt in healing.attempts
                    for run in attempt.steps
                    if run.state is StepState.RUNNING
                ]
                _end(record, healing, now)
                _file(state, healing.id).unlink(missing_ok=True)
    return ended


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
