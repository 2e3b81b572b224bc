"""noop: leaves the event as it is."""

from __future__ import annotations

from typing import Any


def main(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event."""
    return event
