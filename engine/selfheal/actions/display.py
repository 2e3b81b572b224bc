"""Text for the terminal, in ansible-rulebook's shape."""

from __future__ import annotations

import pprint
from collections.abc import Callable
from datetime import datetime
from typing import Any

from selfheal.clock import Clock
from selfheal.printable import printable

_WIDTH = 80


def banner(out: Callable[[str], None], clock: Clock, title: str, content: Any) -> None:
    """Print `content` below a line with time and title, above a line of stars.

    Control characters other than tab and line break are not passed on: what is printed may come
    from anybody who can send an event."""
    moment = datetime.fromtimestamp(clock.now()).strftime("%Y-%m-%d %H:%M:%S.%f")
    head = f"** {moment} [{title}] ".ljust(_WIDTH, "*")
    out(f"\n{head}\n{printable(str(content))}\n{'*' * _WIDTH}")


def pretty(value: Any) -> str:
    """Return `value` over several lines, keys in order."""
    return pprint.pformat(value)
