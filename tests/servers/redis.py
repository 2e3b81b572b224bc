"""redis."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.servers.base import Server, require


class Redis(Server):
    """`settings` are lines of redis.conf, e.g. {"maxmemory": "8mb", "appendonly": "yes"}."""

    name = "redis"

    def __init__(
        self, directory: Path, settings: Mapping[str, str] | None = None, port: int | None = None
    ) -> None:
        super().__init__(directory, port)
        self._settings = dict(settings or {})

    @property
    def config(self) -> Path:
        return self.directory / "redis.conf"

    def configure(self) -> None:
        fixed = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.directory),
            "save": '""',
        }
        lines = [f"{name} {value}" for name, value in {**fixed, **self._settings}.items()]
        self.config.write_text("\n".join(lines) + "\n")

    @property
    def command(self) -> list[str]:
        return [require("redis-server"), str(self.config)]

    def ready(self) -> bool:
        return self.try_ask("PING") == "PONG"

    def try_ask(self, *command: str) -> str:
        """What redis-cli prints, errors included."""
        argv = [require("redis-cli"), "-p", str(self.port), *command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
        return (done.stdout + done.stderr).strip()

    def ask(self, *command: str) -> str:
        """What redis-cli prints; raises when redis answers with an error."""
        argv = [require("redis-cli"), "-e", "-p", str(self.port), *command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
        if done.returncode != 0:
            raise RuntimeError((done.stdout + done.stderr).strip())
        return done.stdout.strip()
