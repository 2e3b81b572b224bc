"""What all servers share: finding the program, starting it, waiting by fact, ending it surely."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

import pytest

T = TypeVar("T")

# Debian keeps daemons out of the path of ordinary users, and PostgreSQL's tools by version.
_PLACES = ["/usr/local/sbin", "/usr/sbin", "/sbin", *sorted(glob.glob("/usr/lib/postgresql/*/bin"))]

_given_out: set[int] = set()


def require(binary: str) -> str:
    """The full path of a program; without it the test fails in CI (env CI) and skips elsewhere."""
    path = shutil.which(binary, path=os.pathsep.join([os.environ.get("PATH", ""), *_PLACES]))
    if path is None:
        reason = f"{binary} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def free_port() -> int:
    """A loopback port nobody listens on, never the same twice from one process."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _given_out:
            _given_out.add(port)
            return port


def await_fact(what: str, fact: Callable[[], T], within: float = 20.0) -> T:
    """Poll until `fact` returns something true, and return that; fail with `what` otherwise."""
    deadline = time.monotonic() + within
    while True:
        found = fact()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {within} s")
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def http_status(url: str, within: float = 2.0) -> int:
    """The status a GET answers; 0 when nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=within) as answer:  # noqa: S310 - loopback http
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def processes_in(directory: Path) -> list[int]:
    """Every live process that works in `directory` or below it.

    All servers here are started in their own directory, and forks keep it whatever else they
    change (session, name, environment, parent). Zombies have none, so they do not count.
    """
    root = str(directory.resolve())
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                where = str((entry / "cwd").readlink())
            except OSError:
                continue  # gone in between, a zombie, or another user's
            if where == root or where.startswith(root + "/") or where == root + " (deleted)":
                found.append(int(entry.name))
    return found


def end_processes_in(directory: Path) -> None:
    """KILL whatever still works in `directory`, and wait until it is gone."""

    def none_left() -> bool:
        for pid in processes_in(directory):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not processes_in(directory)

    await_fact(f"processes in {directory} gone", none_left)


def short_directory() -> Path:
    """A new private directory with a path short enough for Unix sockets (108 bytes)."""
    return Path(tempfile.mkdtemp(prefix="sh-", dir="/tmp"))


class Server:
    """One server: configured in `directory`, listening on the loopback `port`.

    Subclasses say how to `configure`, by which `command` it runs in the foreground, and when it
    is `ready`. `with server:` runs it; a Supervisord runs it as a program instead.
    """

    name = "server"
    stop_signal = signal.SIGTERM

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self) -> None:
        """Write what the server reads. Called once, before it starts."""

    @property
    def command(self) -> list[str]:
        """The foreground command line."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it serves now."""
        return listens(self.port)

    @property
    def pid(self) -> int:
        """The main process, while running inside `with`."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.directory / f"{self.name}.log"

    def prepare(self) -> None:
        """Make the directory and configure, without starting."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.configure()

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()
        self.clean()

    def clean(self) -> None:
        """Remove what lies outside `directory`."""

    def start(self) -> None:
        """Start and return once it is ready; its output is in the error if it never is."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        await_fact(f"{self.name} ready", self._ready_or_dead)

    def _ready_or_dead(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended at start: {self.log.read_text()[-2000:]}")
        return self.ready()

    def stop(self) -> None:
        """Ask it to stop, end everything that is left of it; `start` may follow."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(self.stop_signal)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        end_processes_in(self.directory)
