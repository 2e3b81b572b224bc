"""Whose locks may be taken away: of those who are dead for certain, and of nobody else."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from selfheal.clock import ManualClock
from selfheal.daemon.leases import (
    by_hand_holder,
    death_of_holders,
    engine_holder,
    lease,
    reclaim,
)
from selfheal.daemon.lock import engine_lock
from selfheal.model import HealingState, Lock, Outcome, StepState
from selfheal.ports import Lease
from selfheal.store import open_record
from tests.store.nouns import a_healing, a_step, an_attempt

HOLDS = """
import sys, time
from pathlib import Path
from selfheal.daemon.lock import engine_lock
with engine_lock(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(60)
"""


def lock_of(holder: str, expires_at: float = 0.0, healing_id: str = "he-1") -> Lock:
    return Lock("host:web1", healing_id, holder, 0.0, expires_at)


def test_an_engine_is_dead_when_its_lock_is_free(tmp_path: Path) -> None:
    """However long ago its lease has expired, also while it is stopped; kill -9 is death."""
    is_dead = death_of_holders(tmp_path, ManualClock(1e9))
    words = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            assert not is_dead(lock_of(f"engine {process.pid}"))
            process.send_signal(signal.SIGSTOP)
            assert not is_dead(lock_of(f"engine {process.pid}"))
        finally:
            process.kill()
            process.wait()
    assert is_dead(lock_of(f"engine {process.pid}"))
    with engine_lock(tmp_path):
        assert not is_dead(lock_of(engine_holder()))


@pytest.mark.parametrize("holder", [by_hand_holder(), ""], ids=["named", "nameless"])
def test_a_run_by_hand_is_dead_when_its_lease_is_free(tmp_path: Path, holder: str) -> None:
    """Its lease file tells, whatever name it goes by."""
    is_dead = death_of_holders(tmp_path, ManualClock(1e9))
    with lease(tmp_path, "he-1"):
        assert not is_dead(lock_of(holder))
    assert is_dead(lock_of(holder))


def test_of_nobody_known_only_time_tells(tmp_path: Path) -> None:
    """A holder that can't be judged keeps its locks for an hour beyond its lease."""
    is_dead = death_of_holders(tmp_path, ManualClock(10_000.0))
    assert not is_dead(lock_of("somebody", expires_at=7_000.0))
    assert is_dead(lock_of("somebody", expires_at=6_000.0))


def test_reclaiming_frees_the_locks(tmp_path: Path) -> None:
    """A dead run by hand ends with its steps and its locks; its playbooks are named."""
    record = open_record(tmp_path / "record.db")
    healing = a_healing(origin="operator", locks=("host:web1",))
    attempt = an_attempt(healing)
    step = a_step(attempt)
    record.add_healing(healing)
    assert record.start_healing(healing.id, 1.0, Lease("by hand 7 (alice)", 60.0))
    record.add_attempt(attempt)
    record.add_step(step)
    assert reclaim(record, tmp_path, 5.0) == [step.ident]
    ended = record.healing(healing.id)
    assert (ended.state, ended.outcome) == (HealingState.DONE, Outcome.UNKNOWN)
    assert ended.attempts[0].steps[0].state is StepState.UNKNOWN
    assert record.locks() == []
    assert reclaim(record, tmp_path, 6.0) == []
    record.close()
