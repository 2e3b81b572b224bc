"""Tell a human by e-mail."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage
from pathlib import Path

from selfheal.config import SmtpTarget
from selfheal.notification.fanout import Send
from selfheal.ports import JSON


def smtp_sender(target: SmtpTarget) -> Send:
    """Return a sender that mails `subject` and `body`; raises what smtplib raises."""

    async def send(subject: str, body: str, data: JSON) -> None:
        await asyncio.to_thread(_deliver, target, subject, body)

    return send


def _deliver(target: SmtpTarget, subject: str, body: str) -> None:
    message = EmailMessage()
    message["From"] = target.sender
    message["To"] = ", ".join(target.to)
    message["Subject"] = f"[selfheal] {' '.join(subject.split())}"
    message.set_content(body)
    with smtplib.SMTP(target.host, target.port, timeout=target.timeout) as server:
        if target.starttls:
            server.starttls()
        if target.user:
            server.login(target.user, Path(target.password_file).read_text().strip())
        server.send_message(message)
