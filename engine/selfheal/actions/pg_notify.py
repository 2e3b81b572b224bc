"""pg_notify: send an event through PostgreSQL."""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from selfheal.actions.arguments import Args, flag, mapping, text
from selfheal.actions.context import ActionContext, ActionResult
from selfheal.errors import ActionError, MissingExtraError

_TIMEOUT = 30.0
_LARGEST = 7000  # PostgreSQL's limit is 8000 bytes
_PIECE = 3400  # quoted once more inside a piece, each character may take two bytes


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Notify `channel` on `dsn` of `event`, without its `meta` if `remove_meta` says so."""
    try:
        import asyncpg
    except ImportError:
        raise MissingExtraError("pg_notify", "postgres") from None
    event = mapping(args, "event", required=True)
    if flag(args, "remove_meta"):
        event.pop("meta", None)
    payloads = list(_payloads(event))
    channel = text(args, "channel")
    try:
        connection = await asyncpg.connect(_uri(text(args, "dsn")), timeout=_TIMEOUT)
        try:
            async with connection.transaction():
                for payload in payloads:
                    await connection.execute("SELECT pg_notify($1, $2)", channel, payload)
        finally:
            await connection.close(timeout=_TIMEOUT)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise ActionError(f"PostgreSQL says: {reason}") from error
    return ActionResult()


def _payloads(event: Mapping[str, Any]) -> Iterator[str]:
    """The event, or the pieces that ansible-rulebook's and our pg_listener put together again."""
    try:
        whole = json.dumps(event)
    except (TypeError, ValueError, RecursionError) as error:
        raise ActionError(f"the event is no JSON: {error}") from error
    if len(whole) <= _LARGEST:
        yield whole
        return
    pieces = [whole[start : start + _PIECE] for start in range(0, len(whole), _PIECE)]
    name = str(uuid.uuid4())
    for number, piece in enumerate(pieces, 1):
        yield json.dumps(
            {
                "_message_chunked_uuid": name,
                "_message_chunk_count": len(pieces),
                "_message_chunk_sequence": number,
                "_chunk": piece,
                "_message_length": len(whole),
            }
        )


def _uri(dsn: str) -> str:
    """asyncpg takes URIs only; rulebooks mostly say `host=… dbname=…`."""
    if dsn.startswith(("postgres://", "postgresql://")):
        return dsn
    try:
        pairs = dict(part.split("=", 1) for part in shlex.split(dsn))
    except ValueError:
        # The text may hold a password, so it is not shown.
        raise ActionError("argument dsn is neither key=value pairs nor a URI") from None
    pairs.pop("connect_timeout", None)  # asyncpg would send it to the server as a setting
    return f"postgresql://?{urlencode(pairs)}"
