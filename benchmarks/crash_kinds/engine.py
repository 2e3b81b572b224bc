"""The real engine as a program: start, readiness, kills, and whatever is left of it."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.crash_kinds.site import TOKEN, Site

READY_WITHIN = 60.0


class NeverReadyError(Exception):
    """The engine ended, or hung, before it was ready."""


@dataclass(frozen=True, slots=True)
class Process:
    """A living process of a trial."""

    pid: int
    """Its id."""
    began: float
    """Unix time of its start, to the hundredth of a second."""
    command: str
    """Its command line."""


class Life:
    """One run of the engine's program, from start to death."""

    def __init__(self, site: Site, *options: str, env: Mapping[str, str] | None = None) -> None:
        self._site = site
        self._log = (site.folder / "engine.log").open("ab")
        self.began = time.time()
        self.ready_after: float | None = None
        self.killed_at: float | None = None
        self.process = subprocess.Popen(
            [site.python, "-m", "selfheal.cli", "engine", "-p", str(site.folder), *options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**site.env, **(env or {})},
            cwd=site.folder,
        )

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def await_ready(self) -> None:
        """Wait for the first 2xx on both ports. Raises NeverReadyError."""
        for port in (self._site.hooks, self._site.alerts):
            while not _answers(port):
                late = time.time() - self.began > READY_WITHIN
                if not self.alive or late:
                    why = "it hangs" if late else f"it ended by itself: {self.last_words()}"
                    raise NeverReadyError(why)
                time.sleep(0.005)
            self.ready_after = self.ready_after or time.time() - self.began

    def last_words(self) -> str:
        """Return the end of what it has logged."""
        log = (self._site.folder / "engine.log").read_text(errors="replace").strip()
        return " / ".join(log.splitlines()[-3:])

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self.killed_at = time.time()
        self.process.kill()
        self.close()

    def stop(self, within: float = 30.0) -> int:
        """SIGTERM, and wait; return its exit code. Raises subprocess.TimeoutExpired."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(within)
        self.close()
        return code

    def close(self) -> None:
        """Reap it."""
        if self.alive:
            self.process.kill()
        self.process.wait()
        self._log.close()

    def children(self) -> list[Process]:
        """Return its playbooks and join engines, and their children."""
        return [one for one in processes_of(self._site) if one.pid != self.process.pid]


def processes_of(site: Site) -> list[Process]:
    """Return every living process of the trial: its folder is in the PATH of each."""
    needle, found = os.fsencode(site.folder), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if needle in (entry / "environ").read_bytes():
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    began = _began(entry)
                    text = line.decode(errors="replace").strip()
                    found.append(Process(int(entry.name), began, text))
    return found


def _began(entry: Path) -> float:
    ticks = int((entry / "stat").read_text().rpartition(")")[2].split()[19])
    up = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")


def holders_of(path: Path) -> list[str]:
    """Return who has that file open, for people: process id, state and command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(link.readlink() == path for link in (entry / "fd").iterdir()):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                status = (entry / "status").read_text().split("\n")
                facts = [one for one in status if one.startswith(("State", "PPid", "Threads"))]
                facts.append((entry / "wchan").read_text())
                found.append(f"{entry.name} {' '.join(facts)} {line[:100]}")
    return found


@contextlib.contextmanager
def record_of(site: Site) -> Iterator[sqlite3.Connection]:
    """Look into the record as another process does, without the engine's code."""
    connection = sqlite3.connect(f"file:{site.database}?mode=ro", uri=True, timeout=5.0)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


def rows(site: Site, query: str, *values: Any) -> list[dict[str, Any]]:
    """Return what the record answers."""
    with record_of(site) as connection:
        return [dict(row) for row in connection.execute(query, values)]


def lines_told(site: Site) -> int:
    """Return how many lines the story has."""
    return int(rows(site, "SELECT coalesce(max(seq), 0) AS n FROM timeline")[0]["n"])


def _answers(port: int) -> bool:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310 - as above
            return bool(answer.status == 200)
    except OSError:
        return False
