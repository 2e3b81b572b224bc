"""MemoryNotifier: keeps what it was told, for tests and offline runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from selfheal.ports import JSON


@dataclass(slots=True)
class MemoryNotifier:
    """The in-memory twin of a notifier."""

    sent: list[tuple[str, str, JSON]] = field(default_factory=list)
    """(subject, body, data) in order."""

    async def notify(self, subject: str, body: str, data: JSON) -> None:
        self.post(subject, body, data)

    def post(self, subject: str, body: str, data: JSON) -> None:
        self.sent.append((subject, body, data))
