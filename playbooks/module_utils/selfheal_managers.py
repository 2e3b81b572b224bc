"""The programs that keep services running, behind one small interface.

Each manager answers `is_running` and does `start`, `stop` and `reload`, and returns only when
the service has arrived there. A failure is a `ManagerError` that names the service.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
import xmlrpc.client
from typing import Any

# Fault codes of supervisord.
_ALREADY_STARTED, _NOT_RUNNING = 60, 70


class ManagerError(Exception):
    """A service manager cannot be reached, or could not do what it was asked."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, unix_path: str | None, timeout: float) -> None:
        super().__init__()
        self._unix_path = unix_path
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        if self._unix_path is not None:
            return _UnixConnection(self._unix_path, self._timeout)
        connection = super().make_connection(host)
        connection.timeout = self._timeout
        return connection


class Supervisord:
    """supervisord, asked over its XML-RPC interface (a Unix socket or http)."""

    def __init__(self, url: str, timeout: float) -> None:
        unix_path = url[len("unix://") :] if url.startswith("unix://") else None
        address = "http://localhost/RPC2" if unix_path else url.rstrip("/") + "/RPC2"
        self._where = url.rpartition("@")[2]  # without user and password
        self._timeout = timeout
        self._server = xmlrpc.client.ServerProxy(address, _Transport(unix_path, timeout))

    def _call(self, method: str, *arguments: Any, there_already: int | None = None) -> Any:
        """Call a method; the fault code that says "it is so already" is no failure."""
        try:
            return getattr(self._server.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == there_already:
                return None
            raise ManagerError(
                f"supervisord: {method} {arguments[0]}: {fault.faultString}"
            ) from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise ManagerError(f"supervisord does not answer at {self._where}: {error}") from error

    def _settled_state(self, name: str) -> str:
        """The state of a program once it is no longer on its way to another one."""
        begun = time.monotonic()
        deadline = begun + self._timeout
        while True:
            info = self._call("getProcessInfo", name)
            state = str(info["statename"])
            # Right after a kill supervisord still says RUNNING: give it 2 s to notice.
            stale = state == "RUNNING" and _is_dead(info["pid"]) and time.monotonic() < begun + 2
            if state not in ("STARTING", "STOPPING") and not stale:
                return state
            if time.monotonic() > deadline:
                raise ManagerError(f"supervisord: {name} is still {state} after {self._timeout} s")
            time.sleep(0.05)

    def is_running(self, name: str) -> bool:
        return self._settled_state(name) == "RUNNING"

    def start(self, name: str) -> None:
        # A program between two retries counts as started already: end the retries first.
        if self._settled_state(name) == "BACKOFF":
            self.stop(name)
        self._call("startProcess", name, there_already=_ALREADY_STARTED)

    def stop(self, name: str) -> None:
        self._call("stopProcess", name, there_already=_NOT_RUNNING)

    def reload(self, name: str, signal_name: str) -> None:
        self._call("signalProcess", name, signal_name)


def _is_dead(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


class _Commands:
    """A manager that is driven by running a program for each verb."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    def _argv(self, verb: str, name: str) -> list[str]:
        raise NotImplementedError

    def _run(self, verb: str, name: str) -> subprocess.CompletedProcess[str]:
        # `service` gives an init script the same bare environment.
        keep = {key: os.environ[key] for key in ("LANG", "TERM") if key in os.environ}
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        argv = self._argv(verb, name)
        try:
            return subprocess.run(
                argv,
                cwd="/",
                env={"PATH": os.environ.get("PATH", path), **keep},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                timeout=self._timeout,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ManagerError(f"{' '.join(argv)}: {error}") from error

    def _do(self, verb: str, name: str) -> None:
        done = self._run(verb, name)
        if done.returncode != 0:
            said = " ".join(done.stdout.split())
            argv = " ".join(self._argv(verb, name))
            raise ManagerError(f"{argv}: exit code {done.returncode}: {said}")

    def start(self, name: str) -> None:
        self._do("start", name)

    def stop(self, name: str) -> None:
        self._do("stop", name)

    def reload(self, name: str, signal_name: str) -> None:
        # The script or unit knows how its service reloads; the signal is supervisord's need.
        self._do("reload", name)


class SysVInit(_Commands):
    """Init scripts, called the way `service` calls them."""

    def __init__(self, directory: str, timeout: float) -> None:
        super().__init__(timeout)
        self._directory = directory

    def _argv(self, verb: str, name: str) -> list[str]:
        return [os.path.join(self._directory, name), verb]

    def is_running(self, name: str) -> bool:
        status = self._run("status", name).returncode
        # LSB: 0 running, 1 to 3 not running, 4 and above unknown.
        if status >= 4 or status < 0:
            raise ManagerError(
                f"{self._directory}/{name} status: exit code {status}, state unknown"
            )
        return status == 0


class Systemd(_Commands):
    """systemd, by systemctl."""

    def _argv(self, verb: str, name: str) -> list[str]:
        return ["systemctl", "--no-ask-password", verb, "--", name]

    def is_running(self, name: str) -> bool:
        done = self._run("is-active", name)
        if done.returncode not in (0, 3):
            raise ManagerError(f"systemctl is-active {name}: {done.stdout.strip()}")
        return done.returncode == 0


def manager_named(kind: str, options: dict[str, Any]) -> Any:
    """The manager of that name, built from the options of the module that asks."""
    if kind == "supervisord":
        return Supervisord(options["supervisor_url"], options["timeout"])
    if kind == "sysvinit":
        return SysVInit(options["init_directory"], options["timeout"])
    return Systemd(options["timeout"])
