"""Messages to people that are still on their way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m009_outbox(db: Database) -> None:
    """Messages to people that are still on their way."""
