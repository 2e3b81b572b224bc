"""Pauses, silences, maintenance windows, autonomy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m007_rails(db: Database) -> None:
    """Pauses, silences, maintenance windows, autonomy."""
