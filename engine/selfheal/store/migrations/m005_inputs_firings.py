"""Inputs of rulesets, what they fired, and what their matchers remember."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m005_inputs_firings(db: Database) -> None:
    """Inputs of rulesets, what they fired, and what their matchers remember."""
