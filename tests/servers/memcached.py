"""memcached."""

from __future__ import annotations

import getpass
import socket

from tests.servers.base import Server, require


class Memcached(Server):
    """memcached with 16 MB."""

    name = "memcached"

    @property
    def command(self) -> list[str]:
        where = ["-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-m", "16"]
        # As root it wants to be told which user to be.
        return [require("memcached"), *where, "-u", getpass.getuser()]

    def ask(self, command: str) -> str:
        """The answer to one command of the text protocol, without its line ends."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(command.encode() + b"\r\nquit\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return "\n".join(answer.decode().split("\r\n")).strip()

    def set(self, key: str, value: str, expiry: int = 0) -> None:
        assert self.ask(f"set {key} 0 {expiry} {len(value)}\r\n{value}") == "STORED"

    def get(self, key: str) -> str | None:
        lines = self.ask(f"get {key}").splitlines()
        return lines[1] if lines[0] != "END" else None
