"""What rules fired, until their actions have ended."""

from __future__ import annotations

from typing import Protocol


class FiringRecord(Protocol):
    """What rules fired, until their actions have ended."""
