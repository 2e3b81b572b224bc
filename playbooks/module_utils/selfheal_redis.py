"""The redis protocol, as much of it as the redis modules need."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any


class RedisError(Exception):
    """Redis cannot be reached, or answered a command with an error."""


def connection_arguments() -> dict[str, Any]:
    """The options every redis module takes to find its server."""
    return {
        "host": {"type": "str", "default": "127.0.0.1"},
        "port": {"type": "int", "default": 6379},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "database": {"type": "int", "default": 0},
    }


class Redis:
    """One connection. Answers are bytes, int, None or lists of them."""

    def __init__(self, options: dict[str, Any], timeout: float = 10.0) -> None:
        self._where = f"{options['host']}:{options['port']}"
        try:
            self._socket = socket.create_connection((options["host"], options["port"]), timeout)
        except OSError as error:
            raise RedisError(f"redis does not answer at {self._where}: {error}") from error
        self._answers = self._socket.makefile("rb")
        if options["password"]:
            user = [options["username"]] if options["username"] else []
            self.ask("AUTH", *user, options["password"])
        if options["database"]:
            self.ask("SELECT", options["database"])

    def ask(self, *command: Any) -> Any:
        """The answer to one command; an error answer raises RedisError."""
        return self.ask_all([command])[0]

    def ask_all(self, commands: list[Any]) -> list[Any]:
        """The answers to many commands sent at once; the first error answer raises."""
        answers = self.try_all(commands)
        for answer in answers:
            if isinstance(answer, RedisError):
                raise answer
        return answers

    def try_all(self, commands: list[Any]) -> list[Any]:
        """Like `ask_all`, with error answers in their places instead of raised."""
        try:
            self._socket.sendall(b"".join(_packed(command) for command in commands))
            return [self._answer() for _ in commands]
        except OSError as error:
            raise RedisError(f"redis at {self._where}: {error}") from error

    def keys(self, pattern: str) -> list[bytes]:
        """Every key that matches the glob, each once."""
        found: dict[bytes, None] = {}
        cursor: Any = b"0"
        while True:
            cursor, batch = self.ask("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            found.update(dict.fromkeys(batch))
            if cursor == b"0":
                return list(found)

    def _answer(self) -> Any:
        line = self._answers.readline()
        if not line.endswith(b"\r\n"):
            raise RedisError(f"redis at {self._where} closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            return RedisError(f"redis at {self._where}: {rest.decode(errors='replace')}")
        if kind == b"+":
            return rest
        size = int(rest)
        if kind == b":":
            return size
        if size < 0:
            return None
        if kind == b"$":
            return self._answers.read(size + 2)[:-2]
        return [self._answer() for _ in range(size)]


def _packed(command: Any) -> bytes:
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    """The items in lists of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
