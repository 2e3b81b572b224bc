"""Notification: a human is told, with the evidence."""

from __future__ import annotations

from pathlib import Path

from selfheal.clock import Clock, SystemClock
from selfheal.config import Notify
from selfheal.config.secret import Learn, tell_nobody
from selfheal.notification.fanout import FanoutNotifier
from selfheal.notification.for_person import Extra, nothing_extra, with_extra
from selfheal.notification.memory import MemoryNotifier
from selfheal.notification.sending import Send
from selfheal.notification.smtp import smtp_sender
from selfheal.notification.webhook import webhook_sender
from selfheal.ports import Record

__all__ = ["FanoutNotifier", "MemoryNotifier", "build_notifier"]


def build_notifier(
    config: Notify,
    record: Record,
    clock: Clock | None = None,
    root: Path = Path(),
    *,
    extra: Extra = nothing_extra,
    learn: Learn = tell_nobody,
) -> FanoutNotifier:
    """Return the notifier that `notify:` in `selfheal.yml` asks for; `root` is the project.

    `extra` is text for each target alone, such as links; `learn` is told each secret that is read.
    Raises ConfigError when a secret it needs can't be read."""
    targets: dict[str, Send] = {}
    for number, webhook in enumerate(config.webhooks, 1):
        targets[webhook.name or f"webhook {number}"] = with_extra(
            webhook_sender(webhook, root, learn), extra, webhook.person
        )
    for number, mail in enumerate(config.smtp, 1):
        targets[mail.name or f"smtp {number}"] = with_extra(
            smtp_sender(mail, root, learn), extra, mail.person
        )
    for secret in config.secrets:
        secret.read(root, learn)
    return FanoutNotifier(record, targets, clock or SystemClock(), config.bundle)
