"""The demo's site: a folder with a service, its supervisor, and a project that heals it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selfheal.errors import SelfhealError

START_SECONDS = 20.0
END_SECONDS = 10.0
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends the demo early: Ctrl-C, a polite kill, a closed terminal."""


@dataclass(slots=True)
class Site:
    """A running web service and the project folder beside it."""

    folder: Path
    """Everything lies in here."""
    port: int
    """Where the service answers on the loopback."""
    processes: list[subprocess.Popen[bytes]]
    """What was started, each the leader of its own session."""

    @property
    def url(self) -> str:
        """Where the service answers."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def project(self) -> Path:
        """The project folder the engine works on."""
        return self.folder / "project"

    def start_supervisor(self) -> None:
        """Start the service under its supervisor and wait until it answers."""
        self._start([str(self.folder / "supervisor.py"), str(self.folder), str(self.port)])
        wait_for(lambda: self.status() == 200, "the demo's service does not start")

    def start_engine(self) -> subprocess.Popen[bytes]:
        """Start the real engine on the project; its log goes to a file."""
        return self._start(
            ["-m", "selfheal.cli", "engine", "--project", str(self.project)], log="engine.log"
        )

    def status(self) -> int:
        """Return the service's HTTP status, 0 when it does not answer."""
        try:
            with urllib.request.urlopen(self.url, timeout=2) as answer:  # noqa: S310 - loopback
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def facts(self) -> dict[str, int]:
        """Return what a healthy service says of itself: pid, workers, products."""
        with urllib.request.urlopen(self.url, timeout=2) as answer:  # noqa: S310 - loopback
            said: dict[str, int] = json.load(answer)
        return said

    def kill_service(self) -> int:
        """Kill the service as the kernel would; return the pid it had."""
        pid = int((self.folder / "service.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        return pid

    def break_cache(self) -> None:
        """Cut the cache file in half, as a crash during a write does."""
        cache = self.folder / "cache.json"
        data = cache.read_bytes()
        cache.write_bytes(data[: len(data) // 2])

    def workers(self) -> int:
        """Return the number of workers that is configured now."""
        return int(json.loads((self.folder / "web.json").read_text())["workers"])

    def close(self) -> None:
        """End every process of the site, the newest first."""
        with uninterrupted():
            for process in reversed(self.processes):
                _end(process)

    def _start(self, arguments: list[str], log: str = "supervisor.log") -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as out, uninterrupted():
            process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.processes.append(process)
        return process


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Put interrupts off to the end of the block: what it starts is known, what it ends is gone."""
    put_off: list[int] = []
    previous = {
        number: signal.signal(number, lambda late, _: put_off.append(late)) for number in INTERRUPTS
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if any(previous[signal.Signals(late)] is not signal.SIG_IGN for late in put_off):
        raise KeyboardInterrupt


def build_site(folder: Path) -> Site:
    """Write service, supervisor and project into `folder`; nothing runs yet."""
    source = Path(__file__).parent / "files"
    for name in ("service.py", "supervisor.py", "products.json"):
        shutil.copyfile(source / name, folder / name)
    shutil.copyfile(source / "products.json", folder / "cache.json")
    (folder / "web.json").write_text('{"workers": 1}')
    for name in ("playbooks", "rulebooks", "inventory"):
        shutil.copytree(source / name, folder / "project" / name)
    port = _free_port()
    # Whoever interrupts the demo does not wait for a healing to end.
    settings = {
        "vars": {"site": str(folder), "port": port},
        "drain_timeout": 0,
        # The second act begins at once; a real site is given time to settle after a healing.
        "rails": {"settle": False},
    }
    (folder / "project" / "selfheal.yml").write_text(json.dumps(settings))
    return Site(folder, port, [])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(fact: Callable[[], bool], complaint: str) -> None:
    """Wait until `fact` holds; SelfhealError with `complaint` when it takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not fact():
        if time.monotonic() > deadline:
            raise SelfhealError(complaint)
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, a grace that an engine needs to end its playbook, then SIGKILL for the session."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
