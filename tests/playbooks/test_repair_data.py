"""repair_data.yml on a real redis under supervisord and a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.playbooks.conftest import Action
from tests.servers import Postgresql, Redis, Supervisord, await_fact

# Not a mere cut at the end: redis would mend that by itself.
GARBAGE = b"\x00rotten\x00"


@pytest.fixture(scope="module")
def redis(place: Path) -> Redis:
    return Redis(place / "redis", {"appendonly": "yes", "appendfsync": "always"})


@pytest.fixture(scope="module")
def supervisord(place: Path, redis: Redis) -> Iterator[Supervisord]:
    with Supervisord(place / "supervisord", {"redis": redis}) as running:
        yield running


def test_a_damaged_append_only_file_is_cut_and_redis_starts(
    action: Callable[..., Action], supervisord: Supervisord, redis: Redis
) -> None:
    """Redis serves what was written before the damage; the rollback gives back the very bytes."""
    directory = redis.directory / "appendonlydir"
    damaged: list[bytes] = []

    def newest() -> Path:
        return next(directory.glob("*.incr.aof"))

    def damage() -> None:
        supervisord.control("stop", "redis")
        shutil.rmtree(directory, ignore_errors=True)
        supervisord.control("start", "redis")
        await_fact("redis ready", redis.ready)
        redis.ask("SET", "precious", "kept")
        os.kill(supervisord.pid_of("redis"), signal.SIGKILL)
        supervisord.await_state("redis", "EXITED")
        with newest().open("ab") as file:
            file.write(GARBAGE + b"*1\r\n$4\r\nPING\r\n")
        damaged.append(newest().read_bytes())
        supervisord.control("start", "redis")
        supervisord.await_state("redis", "EXITED")

    repair = action(
        "repair_data",
        repair_kind="redis_aof",
        service="redis",
        supervisor_url=supervisord.url,
        redis_aof_directory=str(directory),
    )
    repair.prove(
        sabotage=damage,
        broken=lambda: not redis.ready() and newest().read_bytes() == damaged[-1],
        healed=lambda: (
            bool(await_fact("redis ready", redis.ready)) and redis.ask("GET", "precious") == "kept"
        ),
        rolled_back=lambda: newest().read_bytes() == damaged[-1] and not redis.ready(),
    )


@pytest.fixture(scope="module")
def postgresql(place: Path) -> Iterator[Postgresql]:
    with Postgresql(place / "postgresql") as running:
        yield running


def test_a_rotten_index_is_rebuilt(action: Callable[..., Action], postgresql: Postgresql) -> None:
    """An index that lies is found and rebuilt, a sound one is left alone; no data is lost."""
    postgresql.ask('CREATE TABLE "Order" AS SELECT n::bigint FROM generate_series(1, 2000) n')
    postgresql.ask('CREATE INDEX "Order n" ON "Order" (n)')
    postgresql.ask("CREATE TABLE sound (n int PRIMARY KEY)")

    def path_of(relation: str) -> str:
        return postgresql.ask(f"SELECT pg_relation_filepath('{relation}')")

    sound = path_of("sound_pkey")

    def rot() -> None:
        path = postgresql.data / path_of('"Order n"')
        postgresql.stop()
        data = path.read_bytes()
        assert data.count(struct.pack("<q", 1500)) == 1
        path.write_bytes(data.replace(struct.pack("<q", 1500), struct.pack("<q", -7)))
        postgresql.start()

    def found() -> str:
        by_index = 'SET enable_seqscan = off; SELECT count(*) FROM "Order" WHERE n = 1500'
        return postgresql.ask(by_index)

    repair = action(
        "repair_data",
        repair_kind="postgresql_indexes",
        postgresql_host=postgresql.host,
        postgresql_port=postgresql.port,
        postgresql_database="postgres",
    )
    repair.prove(
        sabotage=rot,
        broken=lambda: found() == "0",
        healed=lambda: found() == "1",
        rolled_back=lambda: found() == "1",  # an index holds no data: nothing to give back
    )
    assert path_of("sound_pkey") == sound
    assert postgresql.ask("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'") == "0"


def test_an_unknown_kind_is_refused(action: Callable[..., Action]) -> None:
    """A kind that does not exist is an error, not a silent success."""
    assert (
        "choose redis_aof or postgresql_indexes"
        in action("repair_data", repair_kind="mysql").refuse()
    )
