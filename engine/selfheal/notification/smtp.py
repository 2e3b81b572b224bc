"""Tell a human by e-mail."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage
from pathlib import Path

from selfheal.config import SmtpTarget
from selfheal.config.secret import Learn, tell_nobody
from selfheal.model import Notification
from selfheal.notification.sending import Send, Undeliverable


def smtp_sender(target: SmtpTarget, root: Path = Path(), learn: Learn = tell_nobody) -> Send:
    """Return a sender that mails subject and body; raises what smtplib raises.

    `learn` is told the password each time it is read.

    The Message-ID is made of the notification's id: a mail that arrives twice has the same."""

    async def send(told: Notification) -> None:
        await asyncio.to_thread(_deliver, target, told, root, learn)

    return send


def _deliver(target: SmtpTarget, told: Notification, root: Path, learn: Learn) -> None:
    with smtplib.SMTP(target.host, target.port, timeout=target.timeout) as server:
        if target.starttls:
            server.starttls()
        if target.user and target.secret:
            server.login(target.user, target.secret.read(root, learn))
        try:
            server.send_message(_mail(target, told))
        except smtplib.SMTPDataError as error:
            if error.smtp_code >= 500:
                raise Undeliverable(f"the mail server refuses it: {error}") from error
            raise


def _mail(target: SmtpTarget, told: Notification) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = target.sender
    mail["To"] = ", ".join(target.to)
    mail["Subject"] = f"[selfheal] {' '.join(told.subject.split())}"
    mail["Message-ID"] = f"<{told.id}@selfheal.invalid>"
    mail.set_content(told.body)
    return mail
