"""HAProxy in front of HTTP servers."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from tests.servers.base import Server, http_status, require, short_directory

BACKEND = "app"


class Haproxy(Server):
    """Balances `url` over the backend "app": `servers` (name to port) take part, `spares` do not.

    Health checks GET /healthz every 100 ms. The state of the servers is read again at a reload
    from `state_file`.
    """

    name = "haproxy"
    backend = BACKEND

    def __init__(
        self,
        directory: Path,
        servers: Mapping[str, int],
        spares: Mapping[str, int] | None = None,
        port: int | None = None,
    ) -> None:
        super().__init__(directory, port)
        self._servers = dict(servers)
        self._spares = dict(spares or {})
        self._sockets = short_directory()
        self.socket = self._sockets / "admin.sock"
        self.state_file = directory / "server-state"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.directory / "haproxy.cfg"

    @property
    def validate(self) -> str:
        """A command that checks a configuration (%s)."""
        return f"{require('haproxy')} -c -q -f %s"

    def configure(self) -> None:
        self.config.write_text(self.configuration())

    def configuration(self) -> str:
        """A whole valid haproxy.cfg."""
        lines = [f"server {name} 127.0.0.1:{port} check" for name, port in self._servers.items()]
        lines += [
            f"server {name} 127.0.0.1:{port} check disabled" for name, port in self._spares.items()
        ]
        return (
            "global\n"
            f"  stats socket {self.socket} mode 600 level admin\n"
            f"  server-state-file {self.state_file}\n"
            "defaults\n"
            "  mode http\n"
            "  timeout connect 1s\n  timeout client 60s\n  timeout server 60s\n"
            "  timeout check 500ms\n"
            "  option redispatch\n  retries 2\n"
            "  load-server-state-from-file global\n"
            "  default-server inter 100ms fall 2 rise 1\n"
            "frontend web\n"
            f"  bind 127.0.0.1:{self.port}\n"
            f"  default_backend {BACKEND}\n"
            f"backend {BACKEND}\n"
            "  option httpchk GET /healthz\n" + "".join(f"  {line}\n" for line in lines)
        )

    @property
    def command(self) -> list[str]:
        pid_file = str(self.directory / "haproxy.pid")
        return [require("haproxy"), "-W", "-f", str(self.config), "-p", pid_file]

    def ready(self) -> bool:
        return self.socket.exists() and http_status(f"{self.url}/healthz") != 0

    def ask(self, command: str) -> str:
        """The answer of the runtime API."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self.socket))
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def status(self, server: str) -> str:
        """HAProxy's word for a server: UP, DOWN, MAINT, DRAIN, ..."""
        return self._column(server, 17)

    def sessions(self, server: str) -> int:
        """Current sessions of a server."""
        return int(self._column(server, 4))

    def _column(self, server: str, number: int) -> str:
        rows = [line.split(",") for line in self.ask("show stat").splitlines()]
        return next(row[number] for row in rows if row[:2] == [BACKEND, server])

    def clean(self) -> None:
        shutil.rmtree(self._sockets, ignore_errors=True)
