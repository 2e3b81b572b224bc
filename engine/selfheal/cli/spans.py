"""What silences and maintenance windows share: from when to when they hold, and their row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from selfheal.cli.guarding import instant, needed_end, span_options
from selfheal.cli.output import timestamp
from selfheal.model import Maintenance, Silence

F = TypeVar("F", bound=Callable[..., Any])


def start_and_span_options(function: F) -> F:
    """Add `--start`, and `--for` and `--until`, of which one is given."""
    start = click.option("--start", help="From then on, such as 2026-12-24T06:00. [default: now]")
    return start(span_options(function))


def begin_and_end(
    now: float, start: str | None, span: str | None, until: str | None
) -> tuple[float, float]:
    """Return the Unix times that these options mean."""
    begin = instant(start) if start else now
    return begin, needed_end(begin, span, until)


def row_of(one: Silence | Maintenance, now: float) -> dict[str, Any]:
    """Return its row in a list; `state` is `pending`, `active` or `over`."""
    from selfheal.rails.labels import has_begun

    state = "over" if one.ends_at <= now else "active" if has_begun(one, now) else "pending"
    return {
        "id": one.id,
        "state": state,
        "matchers": ", ".join(map(str, one.matchers)),
        "reason": one.reason,
        "who": one.who,
        "starts": timestamp(one.starts_at),
        "ends": timestamp(one.ends_at),
    }
