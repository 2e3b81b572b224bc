"""Notification: a human is told, with the evidence."""

from selfheal.config import Notify
from selfheal.notification.fanout import FanoutNotifier, Send
from selfheal.notification.memory import MemoryNotifier
from selfheal.notification.smtp import smtp_sender
from selfheal.notification.webhook import webhook_sender
from selfheal.ports import Timeline

__all__ = ["FanoutNotifier", "MemoryNotifier", "build_notifier"]


def build_notifier(config: Notify, timeline: Timeline) -> FanoutNotifier:
    """Return the notifier that `notify:` in `selfheal.yml` asks for."""
    targets: dict[str, Send] = {}
    for number, webhook in enumerate(config.webhooks, 1):
        targets[f"webhook {number}"] = webhook_sender(webhook)
    for number, mail in enumerate(config.smtp, 1):
        targets[f"smtp {number}"] = smtp_sender(mail)
    return FanoutNotifier(timeline, targets)
