"""nginx."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from tests.servers.base import Server, http_status, require

_TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]


class Nginx(Server):
    """Answers `text` at every path. The pid file is named on the command line, not in `config`."""

    name = "nginx"

    def __init__(self, directory: Path, text: str = "nginx", port: int | None = None) -> None:
        super().__init__(directory, port)
        self.text = text

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def config(self) -> Path:
        return self.directory / "nginx.conf"

    def configuration(self, text: str) -> str:
        """A whole valid nginx.conf that answers `text`."""
        places = "".join(f"  {n}_temp_path {self.directory}/{n};\n" for n in _TEMPORARY)
        user = "user root;\n" if os.geteuid() == 0 else ""
        return (
            f"{user}worker_processes 1;\nevents {{ worker_connections 64; }}\n"
            f"http {{\n  access_log off;\n{places}"
            f"  server {{\n    listen 127.0.0.1:{self.port};\n"
            f'    location / {{ return 200 "{text}\\n"; }}\n  }}\n}}\n'
        )

    def configure(self) -> None:
        self.config.write_text(self.configuration(self.text))

    def _argv(self, config: str, directives: str) -> list[str]:
        log = str(self.directory / "error.log")
        return [
            *(require("nginx"), "-p", str(self.directory), "-e", log),
            *("-c", config, "-g", directives),
        ]

    @property
    def command(self) -> list[str]:
        return self._argv(str(self.config), f"daemon off; pid {self.directory}/nginx.pid;")

    @property
    def validate(self) -> str:
        """A command that checks a configuration (%s) and touches nothing of the running nginx."""
        return shlex.join([*self._argv("%s", f"pid {self.directory}/check.pid;"), "-t", "-q"])

    def ready(self) -> bool:
        return http_status(self.url) == 200
