"""What a target's sender is: it delivers one notification, or raises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from selfheal.model import Notification

Send = Callable[[Notification], Awaitable[None]]
"""Deliver, or raise: whatever it raises, it is tried again, but for Undeliverable."""


class Undeliverable(Exception):
    """The target refuses this very message for good: no use in trying it again."""
