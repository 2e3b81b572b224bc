"""Small servers that break, and come back when a playbook has mended their world."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from tests.servers.base import await_fact, free_port, listens

_SERVER = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""


class Targets:
    """So many TCP servers, a process each; their supervisor is a thread."""

    def __init__(self, world: Path, count: int) -> None:
        self._world = world
        self.ports = {f"s{number}": free_port() for number in range(count)}
        """Name to port."""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._supervise)
        self._lock = threading.Lock()
        self.broken = 0
        """How often one was broken."""

    def __enter__(self) -> Targets:
        for name in self.ports:
            self._start(name)
        for name, port in self.ports.items():
            await_fact(name, lambda port=port: listens(port))  # type: ignore[misc]  # a lambda's default
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self._thread.join()
        for process in self._processes.values():
            process.kill()
            process.wait()

    def break_one(self, name: str) -> None:
        """Kill its server; only a playbook brings it back."""
        with self._lock:
            (self._world / name).unlink(missing_ok=True)
            self._processes[name].kill()
            self._processes[name].wait()
            self.broken += 1

    def repair(self) -> None:
        """Do what a human does who was called: bring everything back."""
        for name in self.ports:
            (self._world / name).touch()

    def all_up(self) -> bool:
        """Whether nothing is broken."""
        return all(process.poll() is None for process in self._processes.values())

    def _start(self, name: str) -> None:
        command = [sys.executable, "-IS", "-c", _SERVER, str(self.ports[name])]
        self._processes[name] = subprocess.Popen(command)

    def _supervise(self) -> None:
        while not self._over.wait(0.05):
            for name, process in list(self._processes.items()):
                with self._lock:
                    if process.poll() is not None and (self._world / name).exists():
                        self._start(name)
