"""Tell a human by an HTTP POST: chat rooms, pagers, anything with an incoming webhook."""

from __future__ import annotations

from pathlib import Path

from selfheal.config import WebhookTarget
from selfheal.config.secret import Learn, read_value, tell_nobody
from selfheal.model import Notification
from selfheal.notification.sending import Send, Undeliverable

# These say that the message is at fault; any other refusal may be gone tomorrow.
_FOR_GOOD = {400, 410, 413, 414, 415, 422}


def webhook_sender(target: WebhookTarget, root: Path = Path(), learn: Learn = tell_nobody) -> Send:
    """Return a sender that posts `{"text", "subject", "body", "data"}`.

    `text` is what chat services show. The header `Idempotency-Key` is the notification's id: a
    message that arrives twice has the same. An answer of 400 or above is not delivered.
    Secrets are read from files below `root` unless their path is absolute, at each try; `learn`
    is told them, so that no error shows them.
    """

    async def send(told: Notification) -> None:
        import aiohttp

        message = {
            "text": f"{told.subject}\n{told.body}",
            "subject": told.subject,
            "body": told.body,
            "data": dict(told.data),
        }
        headers = {name: read_value(one, root, learn) for name, one in target.headers.items()}
        limit = aiohttp.ClientTimeout(total=target.timeout)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.post(
                read_value(target.url, root, learn),
                json=message,
                headers={**headers, "Idempotency-Key": told.id},
            ) as answer,
        ):
            why = f"it answers {answer.status} {answer.reason}"
            if answer.status in _FOR_GOOD:
                raise Undeliverable(why)
            if answer.status >= 400:
                # Not aiohttp's own error: its text has the address, which may hold a secret.
                raise ConnectionError(why)

    return send
