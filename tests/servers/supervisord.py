"""supervisord running programs."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.base import Server, await_fact, free_port, require, short_directory


@dataclass(frozen=True, slots=True)
class Program:
    """A program of supervisord."""

    command: list[str]
    """The foreground command line."""
    autostart: bool = True
    """Whether it starts with supervisord."""
    options: Mapping[str, str] = field(default_factory=dict)
    """More options of its section, e.g. {"autorestart": "true"}."""


class Supervisord(Server):
    """Runs `programs` by name; a Server given as one is configured, started and awaited.

    Nothing is restarted by itself (autorestart=false), so that a healer must act.
    `url` is the Unix socket of its RPC interface, `http_url` the same over http.
    """

    name = "supervisord"

    def __init__(self, directory: Path, programs: Mapping[str, Server | Program]) -> None:
        super().__init__(directory, free_port())
        self._programs = dict(programs)
        self._sockets = short_directory()
        self.url = f"unix://{self._sockets}/supervisor.sock"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.directory / "supervisord.conf"

    def configure(self) -> None:
        sections = [
            f"[unix_http_server]\nfile={self._sockets}/supervisor.sock\nchmod=0700\n",
            f"[inet_http_server]\nport=127.0.0.1:{self.port}\n",
            f"[supervisord]\nlogfile={self.directory}/supervisord.log\n"
            f"pidfile={self.directory}/supervisord.pid\nchildlogdir={self.directory}\n"
            "nodaemon=true\nsilent=true\n",
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
            f"[supervisorctl]\nserverurl={self.url}\n",
        ]
        sections += [self._section(name, program) for name, program in self._programs.items()]
        self.config.write_text("\n".join(sections))

    def _section(self, name: str, program: Server | Program) -> str:
        if isinstance(program, Server):
            program.prepare()
            program = Program(program.command)
        options = {
            "command": shlex.join(program.command).replace("%", "%%"),
            "directory": str(self.directory),
            "autostart": str(program.autostart).lower(),
            "autorestart": "false",
            "startsecs": "0",
            "stopwaitsecs": "3",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": f"{self.directory}/{name}.log",
            **program.options,
        }
        lines = "".join(f"{key}={value}\n" for key, value in options.items())
        return f"[program:{name}]\n{lines}"

    @property
    def command(self) -> list[str]:
        return [require("supervisord"), "-n", "-c", str(self.config)]

    def ready(self) -> bool:
        if not Path(self.url.removeprefix("unix://")).exists():
            return False
        servers = [each for each in self._programs.values() if isinstance(each, Server)]
        return all(server.ready() for server in servers)

    def control(self, *arguments: str) -> str:
        """What supervisorctl prints."""
        argv = [require("supervisorctl"), "-c", str(self.config), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        return (done.stdout + done.stderr).strip()

    def state_of(self, name: str) -> str:
        """RUNNING, STOPPED, EXITED, FATAL, ..."""
        return self.control("status", name).split()[1]

    def pid_of(self, name: str) -> int:
        """The pid of a running program, 0 otherwise."""
        words = self.control("status", name).replace(",", "").split()
        return int(words[words.index("pid") + 1]) if "pid" in words else 0

    def await_state(self, name: str, state: str) -> None:
        await_fact(f"{name} {state}", lambda: self.state_of(name) == state)

    def stop(self) -> None:
        super().stop()
        for program in self._programs.values():
            if isinstance(program, Server):
                program.stop()

    def clean(self) -> None:
        for program in self._programs.values():
            if isinstance(program, Server):
                program.clean()
        shutil.rmtree(self._sockets, ignore_errors=True)
