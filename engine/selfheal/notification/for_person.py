"""What is added to a message on its way to one target, and stands in no record and no log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from selfheal.model import Notification
from selfheal.notification.sending import Send
from selfheal.ports import JSON

Extra = Callable[[JSON, str], str]
"""From a message's data and the person whose target it goes to (or none): text to add; or none."""


def nothing_extra(data: JSON, person: str) -> str:
    """Add nothing."""
    return ""


def with_extra(send: Send, extra: Extra, person: str) -> Send:
    """Return a sender that adds what `extra` says, made anew for each try."""

    async def send_more(told: Notification) -> None:
        more = extra(told.data, person)
        await send(replace(told, body=f"{told.body}\n\n{more}") if more else told)

    return send_more
