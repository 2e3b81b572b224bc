"""The small HTTP service of service.py as a server."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.servers.base import Server, http_status


class Backend(Server):
    """`url` answers the name; `make_ill()` and `make_well()` switch its health check."""

    def __init__(self, directory: Path, name: str = "backend", port: int | None = None) -> None:
        super().__init__(directory, port)
        self.name = name

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def _ill_file(self) -> Path:
        return self.directory / f"{self.name}.ill"

    @property
    def command(self) -> list[str]:
        script = str(Path(__file__).with_name("service.py"))
        options = ["--port", str(self.port), "--name", self.name, "--ill-file", str(self._ill_file)]
        return [sys.executable, script, *options]

    def ready(self) -> bool:
        return http_status(f"{self.url}/healthz") == 200

    def make_ill(self) -> None:
        self._ill_file.touch()

    def make_well(self) -> None:
        self._ill_file.unlink(missing_ok=True)
