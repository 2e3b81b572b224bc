"""pg_listener on a real PostgreSQL; its connection strings and its pieces of messages."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.errors import EventError, SourceError
from selfheal.sources import Backoff, ReportKind
from selfheal.sources.chunks import Chunks
from selfheal.sources.conninfo import connect_arguments, parse_conninfo
from tests.servers import Postgresql
from tests.sources.support import need_module, refused, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgresql]:
    need_module("asyncpg")
    with Postgresql(tmp_path / "pg") as server:
        yield server


def notify(server: Postgresql, channel: str, payload: str) -> None:
    quoted = payload.replace("'", "''")
    server.ask(f"select pg_notify('{channel}', '{quoted}')")


async def listening(server: Postgresql, channel: str) -> None:
    """Until the server has done its part of LISTEN, and the client's loop had time for its own."""
    sql = "select query from pg_stat_activity where state = 'idle'"
    # In a thread: asyncpg forgets a notification that comes together with LISTEN's own answer.
    while f'LISTEN "{channel}"' not in await asyncio.to_thread(server.ask, sql):
        pass


async def test_notifications(server: Postgresql) -> None:
    """The JSON of each notification on each channel is an event; what is no JSON is refused."""
    args = {
        "dsn": f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres",
        "channels": ["events", "Alerts"],
    }
    async with running("eda.builtin.pg_listener", args) as run:
        await listening(server, "Alerts")
        notify(server, "events", '{"a": 1}')
        assert await run.event() == {"a": 1}
        notify(server, "events", "{not json")
        notify(server, "events", "[1, 2]")
        notify(server, "other", '{"unheard": 1}')
        notify(server, "Alerts", '{"name": "Zoë"}')
        assert await run.event() == {"name": "Zoë"}
        assert (await run.report(ReportKind.REFUSED)).count == 1


async def test_a_message_in_pieces(server: Postgresql) -> None:
    """A message that ansible-rulebook's pg_notify cut up is one event, whatever the order."""
    whole = json.dumps({"text": "x" * 9000})
    args = {
        "postgres_params": {"host": server.host, "port": server.port, "user": "postgres"},
        "channels": ["events"],
    }
    async with running("ansible.eda.pg_listener", args) as run:
        await listening(server, "events")
        for piece in reversed(pieces_of(whole, 4000)):
            notify(server, "events", json.dumps(piece))
        assert await run.event() == {"text": "x" * 9000}


async def test_a_lost_connection_is_found_again(server: Postgresql) -> None:
    """When the server drops the connection, that is reported and the source listens again."""
    args = {"dsn": f"postgresql://postgres@127.0.0.1:{server.port}/postgres", "channels": ["c"]}
    async with running("pg_listener", args, backoff=Backoff(first=0.05)) as run:
        await listening(server, "c")
        server.ask(
            "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'"
        )
        assert "connection" in (await run.report(ReportKind.FAILED)).text
        await listening(server, "c")
        notify(server, "c", '{"a": 1}')
        assert await run.event() == {"a": 1}


async def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asyncpg the message says which extra brings it."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    message = await refused("pg_listener", {"dsn": "host=x", "channels": ["a"]})
    assert "pip install 'selfheal[postgres]'" in message


@pytest.mark.parametrize(
    ("dsn", "params", "expected"),
    [
        ("host=db port=5433 dbname=eda", {}, {"host": "db", "port": 5433, "database": "eda"}),
        ("user = me  password='it''s'", None, None),
        (r"user = me  password='it\'s \\ here'", {}, {"user": "me", "password": r"it's \ here"}),
        ("host=a sslmode=require connect_timeout=3", {"host": "b"},
         {"host": "b", "ssl": "require", "timeout": 3.0}),
        ("", {"dbname": "x", "application_name": "y"},
         {"database": "x", "server_settings": {"application_name": "y"}}),
        ("postgresql://u@h/d", {"port": 1}, {"dsn": "postgresql://u@h/d", "port": 1}),
    ],
)  # fmt: skip
def test_connection_strings(
    dsn: str, params: dict[str, Any] | None, expected: dict[str, Any] | None
) -> None:
    """libpq's connection strings and parameters mean to asyncpg what they mean to libpq."""
    if expected is None:
        with pytest.raises(SourceError, match="neither key=value pairs nor a URI"):
            connect_arguments(dsn, params or {})
    else:
        assert connect_arguments(dsn, params or {}) == expected


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(), max_size=5))
def test_any_value_can_be_quoted(pairs: dict[str, str]) -> None:
    """Whatever libpq's quoting can write is read back as it was."""
    quoted = {key: value.replace("\\", r"\\").replace("'", r"\'") for key, value in pairs.items()}
    assert parse_conninfo(" ".join(f"{key}='{value}'" for key, value in quoted.items())) == pairs


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"port": "many"}, "port must be a number"),
        ({"hots": "x"}, "connection parameter 'hots' is not supported"),
    ],
)
def test_wrong_parameters(params: dict[str, Any], message: str) -> None:
    """A parameter that means nothing is named."""
    with pytest.raises(SourceError, match=message):
        connect_arguments("", params)


def test_a_password_is_not_shown() -> None:
    """A connection string that can't be read may hold a password: it is not in the message."""
    with pytest.raises(SourceError) as caught:
        connect_arguments("password=s3cret 'oops", {})
    assert "s3cret" not in str(caught.value)


def pieces_of(text: str, size: int) -> list[dict[str, Any]]:
    parts = [text[start : start + size] for start in range(0, len(text), size)] or [""]
    return [
        {
            "_message_chunked_uuid": "id",
            "_message_chunk_count": len(parts),
            "_message_chunk_sequence": number,
            "_chunk": part,
            "_message_length": len(text),
            "_message_xx_hash": "unused",
        }
        for number, part in enumerate(parts, start=1)
    ]


@given(st.dictionaries(st.text(), st.text(), max_size=5), st.integers(1, 20), st.randoms())
def test_pieces_in_any_order(message: dict[str, str], size: int, random: Any) -> None:
    """Pieces that come in any order make the message once, with the last of them."""
    pieces = pieces_of(json.dumps(message), size)
    random.shuffle(pieces)
    chunks = Chunks()
    assert [chunks.add(piece) for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert chunks.add(pieces[-1]) == message


def test_what_is_no_piece_passes() -> None:
    """A whole message needs nothing done to it."""
    assert Chunks().add({"a": 1}) == {"a": 1}
    assert Chunks().add([1]) == [1]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"_message_chunk_count": "3"},
        {"_message_chunk_count": 0},
        {"_message_chunk_count": 10**9},
        {"_message_chunk_sequence": None},
        {"_chunk": {"no": "text"}},
        {"_message_length": 5},
    ],
)
def test_spoilt_pieces(spoilt: dict[str, Any]) -> None:
    """A piece that makes no sense is refused, and keeps no memory."""
    chunks = Chunks()
    with pytest.raises(EventError, match="piece"):
        chunks.add({**pieces_of('{"a": 1}', 100)[0], **spoilt})
    assert not chunks._open


def test_messages_that_never_end_are_forgotten() -> None:
    """Only the newest hundred incomplete messages are kept."""
    chunks = Chunks()
    for number in range(500):
        chunks.add({**pieces_of("{}", 1)[0], "_message_chunked_uuid": str(number)})
    assert len(chunks._open) == 100
