"""What rails remember: pauses, silences, maintenance windows, autonomy."""

from __future__ import annotations

from typing import Protocol


class GuardRecord(Protocol):
    """What rails remember: pauses, silences, maintenance windows, autonomy."""
