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
    """Notifies the log, the timeline, and each target by name."""

    def __init__(self, timeline: Timeline, targets: Mapping[str, Send]) -> None:
        self._timeline = timeline
        self._targets = targets

    async def notify(self, subject: str, body: str, data: JSON) -> None:
        log.warning("human needed: %s\n%s", subject, body)
        self._timeline.tell(
            Kind.NOTIFICATION,
            f"human needed: {subject}",
            incident_id=str(data.get("incident_id", "")),
            healing_id=str(data.get("healing_id", "")),
            data={"subject": subject, "body": body},
        )
        await asyncio.gather(
            *(self._send(name, send, subject, body, data) for name, send in self._targets.items())
        )

    async def _send(self, name: str, send: Send, subject: str, body: str, data: JSON) -> None:
        try:
            await send(subject, body, data)
            text, failed = f"told {name}", ""
        except Exception as error:  # whatever a target raises, the others are told
            text, failed = f"could not tell {name}: {error}", str(error)
            log.error(text)
        self._timeline.tell(
            Kind.NOTIFICATION,
            text,
            incident_id=str(data.get("incident_id", "")),
            healing_id=str(data.get("healing_id", "")),
            data={"target": name, "error": failed},
        )
