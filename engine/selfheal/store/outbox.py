"""Messages to people, until they are delivered."""

from __future__ import annotations

from selfheal.store.repository import Repository


class Outbox(Repository):
    """Implements `ports.OutboxRecord`."""
