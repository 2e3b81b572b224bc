"""Messages that ansible-rulebook's pg_notify cut into pieces, put together again."""

from __future__ import annotations

from typing import Any

from selfheal.errors import EventError
from selfheal.sources.events import parse_json

_ID = "_message_chunked_uuid"
_COUNT = "_message_chunk_count"
_SEQUENCE = "_message_chunk_sequence"
_CHUNK = "_chunk"
_LENGTH = "_message_length"
_MOST_OPEN = 100
_MOST_CHUNKS = 10_000


class Chunks:
    """Keeps the pieces of messages that are not complete yet; at most 100 messages."""

    def __init__(self) -> None:
        self._open: dict[str, dict[int, str]] = {}

    def add(self, payload: Any) -> Any:
        """Return the message that is complete with `payload`, None when pieces are missing.

        A payload that is no piece is complete by itself. Raises `EventError` for a piece that
        makes no sense, and when the message put together has not the length it should have.
        """
        if not isinstance(payload, dict) or _ID not in payload:
            return payload
        name, count, sequence, chunk = (
            payload.get(key) for key in (_ID, _COUNT, _SEQUENCE, _CHUNK)
        )
        if not (
            isinstance(count, int)
            and 0 < count <= _MOST_CHUNKS
            and isinstance(sequence, int)
            and isinstance(chunk, str)
        ):
            raise EventError("a piece of a message without its number, or without its text")
        pieces = self._open.setdefault(str(name), {})
        pieces[sequence] = chunk
        if len(pieces) < count:
            self._forget_oldest()
            return None
        del self._open[str(name)]
        return _whole(pieces, payload.get(_LENGTH))

    def _forget_oldest(self) -> None:
        while len(self._open) > _MOST_OPEN:
            del self._open[next(iter(self._open))]


def _whole(pieces: dict[int, str], length: Any) -> Any:
    text = "".join(pieces[number] for number in sorted(pieces))
    data = text.encode("utf-8", "surrogatepass")
    if length not in (None, len(text), len(data)):
        raise EventError(f"a message in pieces has {len(text)} characters instead of {length}")
    return parse_json(data)
