"""The servers that only drills need, beside those of tests/servers."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.servers import Alertmanager, Backend, Program, Prometheus, Server, require
from tests.servers.base import listens

from benchmarks.drills.shipped import move, write_project
from selfheal.model import Kind
from selfheal.ports import Record
from selfheal.store import open_record


class App(Backend):
    """A backend with a release of its own to break, and a pid file."""

    @property
    def release(self) -> Path:
        """The program file."""
        return self.directory / "service.py"

    @property
    def pid_file(self) -> Path:
        return self.directory.parent / f"{self.name}.pid"

    def configure(self) -> None:
        self.deploy()

    def deploy(self) -> None:
        """Put the working release in place."""
        shutil.copy(Path(super().command[1]), self.release)

    @property
    def command(self) -> list[str]:
        python, _, *options = super().command
        write_pid = 'echo $$ >"$0" && exec "$@"'
        shell = ["sh", "-c", write_pid, str(self.pid_file)]
        return [*shell, python, str(self.release), *options]

    @property
    def program(self) -> Program:
        """Itself under supervisord, which finds out whether a start lasts a second."""
        self.prepare()
        return Program(self.command, options={"startsecs": "1", "startretries": "0"})


class RedisExporter(Server):
    """prometheus-redis-exporter; it asks whichever redis a scrape names."""

    name = "redis-exporter"

    @property
    def command(self) -> list[str]:
        address = f"127.0.0.1:{self.port}"
        return [require("prometheus-redis-exporter"), "-web.listen-address", address]


class ShippedPrometheus(Prometheus):
    """Prometheus on the shipped configuration and rules."""

    def __init__(self, directory: Path, addresses: Mapping[str, str]) -> None:
        super().__init__(directory, jobs={})
        self._addresses = addresses

    def configure(self) -> None:
        move("prometheus.yml", self.directory, self._addresses)
        move("rules.yml", self.directory, {})


class ShippedAlertmanager(Alertmanager):
    """Alertmanager on the shipped configuration."""

    def __init__(self, directory: Path, engine: str) -> None:
        super().__init__(directory, webhooks=())
        self._engine = engine

    def configure(self) -> None:
        move("alertmanager.yml", self.directory, {"127.0.0.1:5001": self._engine})


class Engine(Server):
    """selfheal-engine on a project folder of the shipped content; listens for Alertmanager."""

    name = "engine"

    def __init__(self, directory: Path, port: int, variables: Mapping[str, Any], **settings: Any):
        super().__init__(directory, port)
        self._variables = variables
        self._settings = settings
        self._record: Record | None = None

    def configure(self) -> None:
        write_project(self.directory, self._variables, **self._settings)

    @property
    def command(self) -> list[str]:
        return [str(Path(sys.executable).with_name("selfheal-engine")), "-p", str(self.directory)]

    @property
    def record(self) -> Record:
        """What the engine writes down."""
        if self._record is None:
            self._record = open_record(self.directory / ".selfheal" / "selfheal.db")
        return self._record

    def ready(self) -> bool:
        if not (self.directory / ".selfheal" / "selfheal.db").exists():
            return False
        told = self.record.last_entry(Kind.ENGINE)
        return told is not None and told.text.startswith("ready") and listens(self.port)

    def clean(self) -> None:
        if self._record is not None:
            self._record.close()


class Pager:
    """The human's end: a web hook that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        messages = self.messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
