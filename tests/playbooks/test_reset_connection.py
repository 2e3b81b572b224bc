"""reset_connection.yml on a real redis and a real PostgreSQL (HAProxy's part is in test_scale)."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.playbooks.conftest import Action
from tests.servers import Postgresql, Redis, await_fact, require


@pytest.fixture(scope="module")
def redis(place: Path) -> Iterator[Redis]:
    with Redis(place / "redis", {"maxclients": "20"}) as running:
        yield running


@pytest.fixture(scope="module")
def postgresql(place: Path) -> Iterator[Postgresql]:
    with Postgresql(place / "postgresql") as running:
        yield running


class Hoard:
    """Connections that are opened and then do nothing."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._held: list[socket.socket] = []

    def take(self, count: int) -> None:
        self.drop()
        for _ in range(count):
            held = socket.create_connection(("127.0.0.1", self._port), 5)
            held.sendall(b"PING\r\n")
            assert held.recv(100).startswith((b"+PONG", b"-ERR max number of clients"))
            self._held.append(held)

    def drop(self) -> None:
        while self._held:
            self._held.pop().close()

    def all_cut(self) -> bool:
        return all(_is_cut(held) for held in self._held)


def _is_cut(held: socket.socket) -> bool:
    try:
        return held.recv(100) == b""
    except ConnectionError:
        return True


@pytest.fixture
def hoard(redis: Redis) -> Iterator[Hoard]:
    await_fact("redis has room", redis.ready)
    held = Hoard(redis.port)
    yield held
    held.drop()


def test_idle_redis_clients_are_disconnected(
    action: Callable[..., Action], redis: Redis, hoard: Hoard
) -> None:
    """Idle clients are cut and a subscriber is left alone."""
    subscriber = socket.create_connection(("127.0.0.1", redis.port), 5)
    with subscriber:
        subscriber.sendall(b"SUBSCRIBE news\r\n")
        assert b"subscribe" in subscriber.recv(100)
        reset = action("reset_connection", reset_kind="redis", redis_port=redis.port, reset_idle=0)
        reset.prove(
            sabotage=lambda: hoard.take(10),
            broken=lambda: len(redis.ask("CLIENT", "LIST", "TYPE", "normal").splitlines()) > 10,
            healed=hoard.all_cut,
            rolled_back=hoard.all_cut,
        )
        redis.ask("PUBLISH", "news", "still here")
        assert b"still here" in subscriber.recv(100)


@pytest.mark.skipif(os.geteuid() != 0, reason="cutting other processes' sockets needs root")
def test_a_server_that_accepts_nobody_is_freed_by_the_kernel(
    action: Callable[..., Action], redis: Redis, hoard: Hoard
) -> None:
    """Sockets are cut in the kernel even though redis is at its maxclients."""
    reset = action("reset_connection", reset_kind="socket", reset_local_port=redis.port)
    reset.prove(
        sabotage=lambda: hoard.take(20),
        broken=lambda: "max number of clients" in redis.try_ask("PING"),
        healed=lambda: bool(await_fact("redis answers", redis.ready)) and hoard.all_cut(),
        rolled_back=redis.ready,
    )


def test_a_backend_idle_in_a_transaction_gives_up_its_lock(
    action: Callable[..., Action], postgresql: Postgresql
) -> None:
    """A forgotten transaction that locks a table is terminated, in the named database only."""
    postgresql.ask("CREATE TABLE account (id int)")
    postgresql.ask("CREATE DATABASE other")
    where = ["-h", postgresql.host, "-p", str(postgresql.port), "-U", "postgres"]
    sessions: list[subprocess.Popen[str]] = []

    def session(database: str, sql: str) -> subprocess.Popen[str]:
        opened = subprocess.Popen(
            [require("psql"), "-XAtq", *where, "-d", database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        sessions.append(opened)
        assert opened.stdin is not None
        assert opened.stdout is not None
        opened.stdin.write(f"{sql} SELECT 'done';\n")
        opened.stdin.flush()
        assert opened.stdout.readline() == "done\n"
        return opened

    def locked() -> bool:
        locks = "SELECT count(*) FROM pg_locks WHERE relation = 'account'::regclass AND granted"
        return postgresql.ask(locks) != "0"

    bystander = session("other", "")
    reset = action(
        "reset_connection",
        reset_kind="postgresql",
        reset_idle=0,
        postgresql_host=postgresql.host,
        postgresql_port=postgresql.port,
        postgresql_database="postgres",
    )
    try:
        reset.prove(
            sabotage=lambda: session("postgres", "BEGIN; LOCK TABLE account;"),
            broken=locked,
            healed=lambda: bool(await_fact("lock gone", lambda: not locked())),
            rolled_back=lambda: not locked(),
        )
        assert postgresql.ask("SELECT count(*) FROM pg_stat_activity WHERE datname='other'") == "1"
        assert bystander.poll() is None
    finally:
        for each in sessions:
            each.kill()
            each.communicate()


def test_an_unknown_kind_is_refused(action: Callable[..., Action]) -> None:
    """A kind that does not exist is an error, not a silent success."""
    assert (
        "choose haproxy, socket, redis or postgresql"
        in action("reset_connection", reset_kind="mysql").refuse()
    )
