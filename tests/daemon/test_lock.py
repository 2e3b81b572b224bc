"""One engine a record."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
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


HOLD = """
import fcntl, os, sys, time
lock = os.open(sys.argv[1], os.O_RDWR)
fcntl.lockf(lock, fcntl.LOCK_SH if sys.argv[2] == "look" else fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[3]))
"""


@contextlib.contextmanager
def another_process(folder: Path, how: str, seconds: float) -> Iterator[None]:
    """Let another process hold the lock for so long."""
    file = folder / "engine.lock"
    file.touch()
    command = [sys.executable, "-c", HOLD, str(file), how, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield
        process.kill()


def test_a_look_at_the_lock_keeps_no_engine_from_starting(tmp_path: Path) -> None:
    """`status` holds the lock for the moment it looks; an engine that starts then waits for it."""
    with another_process(tmp_path, "look", 0.05), engine_lock(tmp_path):
        assert holder_of(tmp_path) == os.getpid()


def test_another_process_that_holds_it_is_an_engine(tmp_path: Path) -> None:
    """What is held for longer than a look is refused."""
    with (
        another_process(tmp_path, "hold", 30),
        pytest.raises(StoreError, match="another engine"),
        engine_lock(tmp_path),
    ):
        pass


def test_a_child_of_a_dead_engine_keeps_no_engine_from_starting(tmp_path: Path) -> None:
    """A child that was forked and hangs before it becomes another program holds no lock."""
    code = (
        "import os, pathlib, sys, time\n"
        "from selfheal.daemon.lock import engine_lock\n"
        "with engine_lock(pathlib.Path(sys.argv[1])):\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), flush=True)\n"
        "        time.sleep(60)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        child = int(engine.stdout.readline())
        engine.kill()
        engine.wait()
        try:
            with engine_lock(tmp_path):
                os.kill(child, 0)  # it is still there
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_look_of_our_own_does_not_let_our_lock_go(tmp_path: Path) -> None:
    """Asking who holds the lock, and trying to take it again, leave it held."""
    with engine_lock(tmp_path):
        assert holder_of(tmp_path) == os.getpid()
        with pytest.raises(StoreError), engine_lock(tmp_path):
            pass
        code = "import pathlib, sys; from selfheal.daemon.lock import holder_of; "
        code += "print(holder_of(pathlib.Path(sys.argv[1])))"
        seen = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
        )
        assert int(seen.stdout) == os.getpid()
