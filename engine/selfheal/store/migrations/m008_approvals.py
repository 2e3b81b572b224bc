"""Approvals and who gave them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m008_approvals(db: Database) -> None:
    """Approvals and who gave them."""
