"""What rails remember: pauses, silences, maintenance windows, autonomy."""

from __future__ import annotations

from selfheal.store.repository import Repository


class Guards(Repository):
    """Implements `ports.GuardRecord`."""
