"""The story, the journal, and messages between processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from selfheal.model import (
    Entry,
    Event,
    Kind,
)
from selfheal.ports.json import JSON


class Timeline(Protocol):
    """The append-only story."""

    def tell(
        self,
        kind: Kind,
        text: str,
        *,
        incident_id: str = "",
        healing_id: str = "",
        data: JSON | None = None,
    ) -> Entry:
        """Append one entry, on disk when it returns unless inside a transaction."""
        ...

    def entries(
        self, *, after: int = 0, limit: int = 1000, incident_id: str = "", healing_id: str = ""
    ) -> list[Entry]:
        """Entries with `seq` > after, oldest first."""
        ...

    def last_entry(self, kind: Kind) -> Entry | None:
        """The newest entry of that kind."""
        ...


class Inbox(Protocol):
    """Messages from other processes (CLI) to the engine, on the one SQLite file."""

    def post(self, kind: str, payload: JSON, at: float) -> int:
        """Leave a message (`emit`, `stop`, `reload`); on disk when it returns."""
        ...

    def take(self) -> list[tuple[int, str, JSON]]:
        """The messages not done yet, oldest first: (id, kind, payload)."""
        ...

    def done(self, message_id: int, note: str = "") -> None: ...


class Journal(Protocol):
    """Events on disk."""

    def add(self, events: Sequence[Event]) -> None:
        """Write all in one transaction; on disk when it returns."""
        ...

    def event(self, event_id: str) -> Event:
        """Raises NotFoundError."""
        ...
