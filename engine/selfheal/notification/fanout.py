"""Tell every configured target; one that fails never keeps the others from being told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from selfheal.model import Kind
from selfheal.ports import JSON, Timeline

Send = Callable[[str, str, JSON], Awaitable[None]]
"""Deliver subject, body and data, or raise."""

log = logging.getLogger(__name__)


class FanoutNotifier:
    """Notifies the log, the timeline, and each target by name.

    Targets are told in the background: a chat service that hangs must not hold up the rule, or
    the healing, that has something to say.
    """

    def __init__(self, timeline: Timeline, targets: Mapping[str, Send]) -> None:
        self._timeline = timeline
        self._targets = targets
        self._sending: set[asyncio.Task[None]] = set()

    async def notify(self, subject: str, body: str, data: JSON) -> None:
        log.warning("human needed: %s\n%s", subject, body)
        self._timeline.tell(
            Kind.NOTIFICATION,
            f"human needed: {subject}",
            incident_id=str(data.get("incident_id", "")),
            healing_id=str(data.get("healing_id", "")),
            data={"subject": subject, "body": body},
        )
        for name, send in self._targets.items():
            sending = asyncio.create_task(self._send(name, send, subject, body, data))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def drain(self) -> None:
        """Return when every target was told, or could not be; each has its own time limit."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def _send(self, name: str, send: Send, subject: str, body: str, data: JSON) -> None:
        try:
            await send(subject, body, data)
            text, failed = f"told {name}", ""
        except Exception as error:  # whatever a target raises, the others are told
            failed = str(error) or type(error).__name__
            text = f"could not tell {name}: {failed}"
            log.error(text)
        self._timeline.tell(
            Kind.NOTIFICATION,
            text,
            incident_id=str(data.get("incident_id", "")),
            healing_id=str(data.get("healing_id", "")),
            data={"target": name, "error": failed},
        )
