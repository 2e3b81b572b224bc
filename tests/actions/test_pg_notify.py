"""pg_notify on a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.actions.bench import failure_of, run_one
from tests.servers.postgresql import Postgresql

EVENT = {"i": 1, "meta": {"uuid": "x"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgresql]:
    with Postgresql(Path(tmp_path_factory.mktemp("pg"))) as running:
        yield running


@pytest.fixture
async def heard(server: Postgresql) -> AsyncIterator[asyncio.Queue[str]]:
    """What arrives on the channel `alerts`."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(host="127.0.0.1", port=server.port, user="postgres")
    await listener.add_listener("alerts", lambda *notice: queue.put_nowait(notice[-1]))
    yield queue
    await listener.close()


def dsn(server: Postgresql) -> str:
    return f"host=127.0.0.1 port={server.port} user=postgres dbname='postgres' connect_timeout=5"


@pytest.mark.parametrize(
    ("args", "payload"), [({}, EVENT), ({"remove_meta": True}, {"i": 1})], ids=["whole", "no meta"]
)
async def test_the_event_is_sent(
    server: Postgresql, heard: asyncio.Queue[str], args: dict[str, Any], payload: Any
) -> None:
    """Listeners get the event as JSON, without its meta if so wanted."""
    given = {"dsn": dsn(server), "channel": "alerts", "event": "{{ event }}", **args}
    await run_one("pg_notify", given, EVENT)
    assert json.loads(await asyncio.wait_for(heard.get(), 10)) == payload


async def test_a_uri_is_taken_too(server: Postgresql, heard: asyncio.Queue[str]) -> None:
    """Both forms libpq knows."""
    uri = f"postgresql://postgres@127.0.0.1:{server.port}/postgres"
    await run_one("pg_notify", {"dsn": uri, "channel": "alerts", "event": {"n": 2}}, EVENT)
    assert json.loads(await asyncio.wait_for(heard.get(), 10)) == {"n": 2}


async def test_a_large_event_goes_in_pieces(server: Postgresql, heard: asyncio.Queue[str]) -> None:
    """Above PostgreSQL's limit it is cut as pg_listener puts it together, all or nothing."""
    from selfheal.sources.chunks import Chunks

    event = {"text": '"\\é\n' * 5000}
    given = {"dsn": dsn(server), "channel": "alerts", "event": "{{ event }}"}
    await run_one("pg_notify", given, event)
    chunks, whole = Chunks(), None
    while whole is None:
        whole = chunks.add(json.loads(await asyncio.wait_for(heard.get(), 10)))
    assert whole == event


async def test_no_server_is_a_failure_without_the_password() -> None:
    """The message says what PostgreSQL, or the network, says."""
    given = {"channel": "c", "event": {}, "dsn": "host=127.0.0.1 port=1 user=u password=hunter2"}
    message = await failure_of("pg_notify", given, EVENT)
    assert "PostgreSQL says" in message
    assert "hunter2" not in message


@pytest.mark.parametrize("wrong", ["nonsense password=hunter2", "password='hunter2"])
async def test_a_wrong_dsn_is_not_shown(wrong: str) -> None:
    """It may hold a password."""
    message = await failure_of("pg_notify", {"channel": "c", "event": {}, "dsn": wrong}, EVENT)
    assert "argument dsn" in message
    assert "hunter2" not in message
