"""HAProxy's runtime API: what it says of the servers of a backend, and what it is told."""

from __future__ import annotations

import csv
import socket
from typing import NamedTuple

# Bits of srv_admin_state. 4 (disabled in the configuration) stays set after `state ready`.
_FORCED_MAINT, _FORCED_DRAIN = 0x01, 0x08


class HaproxyError(Exception):
    """The runtime socket cannot be reached, or HAProxy refused a command."""


class Server(NamedTuple):
    """One server as HAProxy sees it now."""

    mode: str  # what the operator wants: ready, drain or maint
    up: bool  # a health check has passed since it was last enabled (or there are no checks)
    status: str  # HAProxy's own word, with the last check's result
    sessions: int  # current sessions


class Haproxy:
    """One HAProxy process, by its stats socket (level admin)."""

    def __init__(self, path: str) -> None:
        self._path = path

    def ask(self, command: str) -> str:
        """The answer to one command."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(10)
                connection.connect(self._path)
                connection.sendall(command.encode() + b"\n")
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError as error:
            raise HaproxyError(f"haproxy does not answer at {self._path}: {error}") from error

    def tell(self, command: str) -> None:
        """A command that has no answer when it is obeyed."""
        answer = self.ask(command).strip()
        if answer:
            raise HaproxyError(f"haproxy refused `{command}`: {answer}")

    def servers(self, backend: str) -> dict[str, Server]:
        """The servers of `backend` by name."""
        modes = self._modes(backend)
        rows = csv.DictReader(self.ask("show stat").lstrip("# ").splitlines())
        return {
            row["svname"]: _server(row, modes[row["svname"]])
            for row in rows
            if row["pxname"] == backend and row["svname"] in modes
        }

    def _modes(self, backend: str) -> dict[str, str]:
        answer = self.ask(f"show servers state {backend}").splitlines()
        # Line 0 is the format's version, line 1 the column names.
        if len(answer) < 2 or not answer[1].startswith("# "):
            raise HaproxyError(f"haproxy knows no backend {backend}: {' '.join(answer).strip()}")
        names = answer[1][2:].split()
        name, mode = names.index("srv_name"), names.index("srv_admin_state")
        rows = [line.split() for line in answer[2:] if line.strip()]
        return {row[name]: _mode(int(row[mode])) for row in rows}


def _mode(admin_state: int) -> str:
    if admin_state & _FORCED_MAINT:
        return "maint"
    return "drain" if admin_state & _FORCED_DRAIN else "ready"


def _server(row: dict[str, str], mode: str) -> Server:
    # A server that was just enabled says UP before its first check: INI gives that away.
    fresh = row["check_status"].lstrip("* ") != "INI"
    up = mode == "ready" and (row["status"] == "no check" or (row["status"] == "UP" and fresh))
    status = f"{row['status']} {row['check_status']}".strip()
    return Server(mode, up, status, int(row["scur"] or 0))
