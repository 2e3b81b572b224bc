"""Tell a human by an HTTP POST: chat rooms, pagers, anything with an incoming webhook."""

from __future__ import annotations

from selfheal.config import WebhookTarget
from selfheal.notification.fanout import Send
from selfheal.ports import JSON


def webhook_sender(target: WebhookTarget) -> Send:
    """Return a sender that posts `{"text", "subject", "body", "data"}`.

    `text` is what chat services show. An answer of 400 or above counts as not delivered.
    """

    async def send(subject: str, body: str, data: JSON) -> None:
        import aiohttp

        message = {"text": f"{subject}\n{body}", "subject": subject, "body": body, "data": data}
        limit = aiohttp.ClientTimeout(total=target.timeout)
        async with (
            aiohttp.ClientSession(timeout=limit, headers=target.headers) as session,
            session.post(target.url, json=message) as answer,
        ):
            answer.raise_for_status()

    return send
