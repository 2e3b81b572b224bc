"""Messages to people, until they are delivered."""

from __future__ import annotations

from typing import Protocol


class OutboxRecord(Protocol):
    """Messages to people, until they are delivered."""
