"""PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.servers.base import Server, end_processes_in, require, short_directory

_FAST = ["-c", "fsync=off", "-c", "full_page_writes=off"]


class Postgresql(Server):
    """A fresh cluster with the superuser `postgres`, no passwords, no fsync.

    `host` is the directory of its socket. PostgreSQL refuses to be root, and the user `postgres`
    may not enter a private test directory: as root the cluster therefore lives in its own short
    directory, and `directory` only holds the log.
    """

    name = "postgresql"
    stop_signal = signal.SIGINT  # "fast": disconnect clients, then stop

    def __init__(self, directory: Path, port: int | None = None) -> None:
        super().__init__(directory, port)
        self._home = short_directory()
        self.host = str(self._home)
        self.data = self._home / "data"

    def configure(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self._home, "postgres", "postgres")
        initdb = [require("initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust"]
        argv = [*self._as_user(), *initdb, "--no-sync", "--locale=C", "--encoding=UTF8"]
        subprocess.run(argv, cwd=self._home, check=True, capture_output=True, timeout=60)

    def _as_user(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return [require("setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    @property
    def command(self) -> list[str]:
        place = ["-D", str(self.data), "-p", str(self.port), "-k", str(self._home)]
        listen = ["-c", "listen_addresses=127.0.0.1"]
        return [*self._as_user(), require("postgres"), *place, *listen, *_FAST]

    def ready(self) -> bool:
        argv = [require("pg_isready"), "-q", "-h", self.host, "-p", str(self.port)]
        return subprocess.run(argv, check=False, timeout=10).returncode == 0

    def ask(self, sql: str, database: str = "postgres") -> str:
        """The rows of one statement, columns separated by |; raises on an SQL error."""
        where = ["-h", self.host, "-p", str(self.port), "-U", "postgres", "-d", database]
        argv = [require("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", *where, "-c", sql]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.strip()

    def stop(self) -> None:
        super().stop()
        end_processes_in(self._home)

    def clean(self) -> None:
        shutil.rmtree(self._home, ignore_errors=True)
