"""Those who are told."""

from __future__ import annotations

from typing import Protocol

from selfheal.ports.json import JSON


class Notifier(Protocol):
    """Tells a human."""

    async def notify(self, subject: str, body: str, data: JSON) -> None:
        """Take the message over; it is in the timeline when this returns, and delivered in the
        background. Raises nothing: a delivery that failed is in the timeline and the log.

        One cause is told once: `data["cause"]`, else subject and data when they are about an
        incident. A call made again after a crash is no second call."""
        ...

    def post(self, subject: str, body: str, data: JSON) -> None:
        """The same, for inside a caller's transaction: the message is on record if, and only if,
        that is."""
        ...
