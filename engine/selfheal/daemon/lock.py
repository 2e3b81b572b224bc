"""One engine a record: an flock that the kernel lets go when its owner dies."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from selfheal.errors import StoreError


def _lock_file(state: Path) -> Path:
    return state / "engine.lock"


STANDBY_POLL = 0.1
"""Seconds between two looks of a standby at the lock."""
GLANCE = 0.2
"""Seconds for which somebody may look at the lock."""
LAST_CHILD = 10.0
"""Seconds for which a dead engine's last child may hold it."""


@contextlib.contextmanager
def engine_lock(state: Path) -> Iterator[None]:
    """Hold the record in `state` for this engine; StoreError, naming the holder, when taken."""
    with _opened(state) as descriptor:
        if not _taken(descriptor):
            holder = _holder(descriptor) or "unknown"
            raise StoreError(
                f"another engine (pid {holder}) works on {state}; stop it first, or wait for its "
                "end with --standby"
            )
        _sign(descriptor)
        yield


@contextlib.asynccontextmanager
async def standby_lock(
    state: Path, stop: asyncio.Event, on_wait: Callable[[int | None], None] = lambda holder: None
) -> AsyncIterator[bool]:
    """Wait until no other engine holds the record in `state`, then hold it; gives True.

    Gives False, with nothing held, once `stop` is set. `on_wait` is told the holder's process id
    when there is one to wait for, and again when it is another."""
    with _opened(state) as descriptor:
        told: list[int | None] = []
        while not stop.is_set() and not _try(descriptor):
            if (holder := _holder(descriptor)) not in told[-1:]:
                told.append(holder)
                on_wait(holder)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), STANDBY_POLL)
        if not stop.is_set():
            _sign(descriptor)
        yield not stop.is_set()


@contextlib.contextmanager
def _opened(state: Path) -> Iterator[int]:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(_lock_file(state), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sign(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def _holder(descriptor: int) -> int | None:
    """Return the process id in the lock file; None when there is none (yet)."""
    text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else None


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _taken(descriptor: int) -> bool:
    """Take the lock. Who only looks at it (`status`) is gone in a moment, and so is a child that
    a dead engine had just forked, and that holds its files until it becomes Ansible."""
    until = time.monotonic() + GLANCE
    while not _try(descriptor):
        if time.monotonic() > until + (LAST_CHILD if _is_dead(_holder(descriptor)) else 0.0):
            return False
        time.sleep(0.02)
    return True


def _is_dead(pid: int | None) -> bool:
    try:
        os.kill(pid or os.getpid(), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
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
        return _holder(descriptor) or 0  # it is just signing it
    finally:
        os.close(descriptor)
    return None
