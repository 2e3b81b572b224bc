"""What is kept of what was pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m010_retention(db: Database) -> None:
    """What is kept of what was pruned."""
