"""One engine a record: a file lock that the kernel lets go when its owner dies.

It is a POSIX record lock, which belongs to the process. The lock of `flock` belongs to the open
file, and so to every child as well that was forked and has not become another program yet.
"""

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
    return state.absolute() / "engine.lock"


STANDBY_POLL = 0.1
"""Seconds between two looks of a standby at the lock."""
GLANCE = 0.2
"""Seconds for which somebody may look at the lock."""

_held: set[Path] = set()
# Closing any descriptor of the file would let our lock go: while we hold it, it is not opened.


@contextlib.contextmanager
def engine_lock(state: Path) -> Iterator[None]:
    """Hold the record in `state` for this engine; StoreError, naming the holder, when taken."""
    if _lock_file(state) in _held:
        raise _refused(os.getpid(), state)
    with _opened(state) as descriptor:
        if not _taken(descriptor):
            raise _refused(_holder(descriptor), state)
        with _signed(descriptor, state):
            yield


def _refused(holder: int | None, state: Path) -> StoreError:
    return StoreError(
        f"another engine (pid {holder or 'unknown'}) works on {state}; stop it first, or wait for "
        "its end with --standby"
    )


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
        if stop.is_set():
            yield False
            return
        with _signed(descriptor, state):
            yield True


@contextlib.contextmanager
def _opened(state: Path) -> Iterator[int]:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(_lock_file(state), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _signed(descriptor: int, state: Path) -> Iterator[None]:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    _held.add(_lock_file(state))
    try:
        yield
    finally:
        _held.discard(_lock_file(state))


def _holder(descriptor: int) -> int | None:
    """Return the process id in the lock file; None when there is none (yet)."""
    text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else None


def _try(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX lets systems choose
        return False
    return True


def _taken(descriptor: int) -> bool:
    """Take the lock; `status` looks at it for a moment, which is no reason not to start."""
    until = time.monotonic() + GLANCE
    while not _try(descriptor):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def holder_of(state: Path) -> int | None:
    """Return the process id of the engine that holds `state`, None when there is none."""
    if _lock_file(state) in _held:
        return os.getpid()
    try:
        descriptor = os.open(_lock_file(state), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return _holder(descriptor) or 0  # it is just signing it
    finally:
        os.close(descriptor)
    return None
