"""One engine a record: an flock that the kernel lets go when its owner dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from selfheal.errors import StoreError


def _lock_file(state: Path) -> Path:
    return state / "engine.lock"


@contextlib.contextmanager
def engine_lock(state: Path) -> Iterator[None]:
    """Hold the record in `state` for this engine; StoreError, naming the holder, when taken."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(_lock_file(state), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _taken(descriptor):
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            raise StoreError(
                f"another engine (pid {holder or 'unknown'}) works on {state}; stop it first"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    """Take the lock; `status` looks at it for a moment, which is no reason not to start."""
    for _ in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def holder_of(state: Path) -> int | None:
    """Return the process id of the engine that holds `state`, None when there is none."""
    try:
        descriptor = os.open(_lock_file(state), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None
