"""What rules fired, until their actions have ended."""

from __future__ import annotations

from selfheal.store.repository import Repository


class Firings(Repository):
    """Implements `ports.FiringRecord`."""
