"""One engine a record."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
from pathlib import Path

import pytest

from selfheal.daemon.lock import engine_lock, holder_of
from selfheal.errors import StoreError


def test_the_holder_is_named(tmp_path: Path) -> None:
    """Whoever comes second is told who holds the record; afterwards nobody does."""
    with engine_lock(tmp_path):
        assert holder_of(tmp_path) == os.getpid()
        with (
            pytest.raises(StoreError, match=rf"pid {os.getpid()}\) works on"),
            engine_lock(tmp_path),
        ):
            pass
    assert holder_of(tmp_path) is None
    assert holder_of(tmp_path / "nowhere") is None


def test_a_look_at_the_lock_keeps_no_engine_from_starting(tmp_path: Path) -> None:
    """`status` holds the lock for the moment it looks; an engine that starts then waits for it."""
    with engine_lock(tmp_path):
        pass
    descriptor = os.open(tmp_path / "engine.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    look = threading.Timer(0.05, os.close, [descriptor])
    look.start()
    with engine_lock(tmp_path):
        assert holder_of(tmp_path) == os.getpid()
    look.join()


def test_the_last_child_of_a_dead_engine_keeps_no_engine_from_starting(tmp_path: Path) -> None:
    """A lock that is held though its signer is dead is waited for: its holder ends soon."""
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    with engine_lock(tmp_path):
        pass
    (tmp_path / "engine.lock").write_text(str(dead.pid))
    descriptor = os.open(tmp_path / "engine.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    child = threading.Timer(0.6, os.close, [descriptor])
    child.start()
    with engine_lock(tmp_path):
        assert holder_of(tmp_path) == os.getpid()
    child.join()
