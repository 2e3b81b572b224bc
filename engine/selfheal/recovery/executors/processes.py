"""Ending a run: every process it started, wherever it has gone.

Ansible's workers make sessions of their own, so the process group of `ansible-playbook` is not
the run. Every process of a run carries `SELFHEAL_RUN=<artifact folder>` in its environment; that
mark, and descent from a marked process, is the run, like a control group. A service started
through a service manager (systemd, supervisord, an init script) is not part of it.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MARK = "SELFHEAL_RUN"
"""Environment variable that marks the processes of a run."""

_PROC = Path("/proc")
_FORK_SECONDS = 2.0
_PR_SET_PDEATHSIG = 1
_forks_end = False


def processes_of(mark: str) -> set[int]:
    """Return the pids of the run's living processes: the marked ones and their descendants."""
    parents: dict[int, int] = {}
    marked: set[int] = set()
    for pid in _pids():
        if (parent := _living_parent(pid)) is not None:
            parents[pid] = parent
            if _is_marked(pid, mark):
                marked.add(pid)
    return {pid for pid in parents if pid in marked or _descends(pid, parents, marked)}


def marked_runs(folder: Path) -> Counter[str]:
    """Return how many living, marked processes each run has whose artifacts are in `folder`."""
    start = f"{MARK}={folder}/".encode()
    return Counter(
        entry.removeprefix(start).decode(errors="replace")
        for pid in _pids()
        if _living_parent(pid) is not None
        for entry in _environment(pid)
        if entry.startswith(start)
    )


def stuck_forks() -> set[int]:
    """Return our children that were forked seconds ago and have not become Ansible yet.

    A child of a process with many threads may wait for a lock that no thread of it will ever
    free. It has no mark, for it has no environment of its own."""
    return {
        pid
        for pid in _pids()
        if _living_parent(pid) == os.getpid()
        and _command(pid) == _command(os.getpid())
        and _age(pid) > _FORK_SECONDS
    }


def end_forks_with_us() -> None:
    """From now on a child that was forked dies with us, even before it has become Ansible."""
    global _forks_end
    if _forks_end:
        return
    _forks_end = True
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # found now: the child is to do very little
    us = os.getpid()

    def end_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != us:
            os._exit(1)  # we were dead before the kernel knew

    os.register_at_fork(after_in_child=end_with_parent)


def signal_run(pids: Iterable[int], number: signal.Signals) -> None:
    """Send the signal to each pid that still lives."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _pids() -> list[int]:
    me = os.getpid()
    return [int(entry) for entry in os.listdir(_PROC) if entry.isdigit() and int(entry) != me]


def _living_parent(pid: int) -> int | None:
    """Return the parent's pid; None for a process that is gone or a zombie."""
    try:
        # The command name stands in parentheses and may hold spaces and parentheses itself.
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[1])


def _command(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _age(pid: int) -> float:
    """Seconds; 0 for a process that is gone."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        uptime = float((_PROC / "uptime").read_text().split()[0])
    except OSError:
        return 0.0
    return uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _is_marked(pid: int, mark: str) -> bool:
    return f"{MARK}={mark}".encode() in _environment(pid)


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []  # another user's process: become gives its modules away


def _descends(pid: int, parents: dict[int, int], marked: set[int]) -> bool:
    seen = {pid}
    while (pid := parents.get(pid, 0)) and pid not in seen:
        if pid in marked:
            return True
        seen.add(pid)
    return False
