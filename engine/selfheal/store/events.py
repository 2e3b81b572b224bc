"""The journal: events on disk."""

from __future__ import annotations

from collections.abc import Sequence

from selfheal.model import Event
from selfheal.store.codec import from_row, to_row
from selfheal.store.repository import Repository


class Events(Repository):
    """Implements `ports.Journal`."""

    def add(self, events: Sequence[Event]) -> None:
        self._db.insert_all("events", map(to_row, events))

    def event(self, event_id: str) -> Event:
        return from_row(Event, self._one("events", event_id))
