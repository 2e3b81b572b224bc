"""pg_listener: PostgreSQL notifications (`NOTIFY channel, '<JSON>'`) as events. Extra: postgres."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from selfheal.errors import EventError, MissingExtraError
from selfheal.ports import EventQueue
from selfheal.sources.arguments import Arguments, parse_arguments
from selfheal.sources.chunks import Chunks
from selfheal.sources.conninfo import connect_arguments
from selfheal.sources.events import parse_json
from selfheal.sources.intake import refuse

if TYPE_CHECKING:
    import asyncpg

_LOG = logging.getLogger(__name__)
_ROOM = 10_000


class Args(Arguments):
    """What a rulebook may say."""

    dsn: str = ""
    """`host=… port=… dbname=…` or `postgresql://…`, as libpq reads it."""
    postgres_params: dict[str, Any] = Field(default_factory=dict)
    """The same as a mapping; wins over `dsn`."""
    channels: list[str] = Field(min_length=1)
    """Channels to listen to, spelt exactly."""

    @model_validator(mode="after")
    def _says_where(self) -> Args:
        if not self.dsn and not self.postgres_params:
            raise ValueError("one of 'dsn' and 'postgres_params' is required")
        return self


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Put the JSON object of each notification; raise when the connection is lost."""
    given = parse_arguments(Args, args, "pg_listener")
    chunks = Chunks()
    async with _listening(given) as heard:
        while True:
            payload = await heard.get()
            if payload is None:
                raise ConnectionError("the connection to PostgreSQL was lost")
            try:
                event = chunks.add(parse_json(payload.encode("utf-8", "surrogatepass")))
            except EventError as error:
                refuse(queue, error)
                continue
            if event is not None:
                await queue.put(event)


@contextlib.asynccontextmanager
async def _listening(args: Args) -> AsyncIterator[asyncio.Queue[str | None]]:
    """Give a queue of payloads; None in it means that the connection is gone."""
    try:
        import asyncpg
    except ImportError as error:
        raise MissingExtraError("source pg_listener", "postgres") from error
    heard: asyncio.Queue[str | None] = asyncio.Queue(_ROOM)
    connection = await asyncpg.connect(**connect_arguments(args.dsn, args.postgres_params))
    try:
        connection.add_termination_listener(lambda gone: _lost(heard))
        for channel in args.channels:
            await connection.add_listener(channel, _Hear(heard))
        yield heard
    finally:
        connection.terminate()


class _Hear:
    def __init__(self, heard: asyncio.Queue[str | None]) -> None:
        self.heard = heard
        self.dropped = 0

    def __call__(
        self, connection: asyncpg.Connection, pid: int, channel: str, payload: str
    ) -> None:
        try:
            self.heard.put_nowait(payload)
        except asyncio.QueueFull:
            self.dropped += 1
            if self.dropped == 1 or self.dropped % _ROOM == 0:
                _LOG.warning(
                    "notifications on %s come too fast: %d dropped so far", channel, self.dropped
                )


def _lost(heard: asyncio.Queue[str | None]) -> None:
    # A full queue is emptied by one: the end must be heard.
    if heard.full():
        heard.get_nowait()
    heard.put_nowait(None)
