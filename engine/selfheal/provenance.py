"""Who wrote what a template became: the rulebook's author, or whoever can send an event.

Event data may fill in values. It may not choose a host, an option, a second word of a command or
a part of a query; what renders the same without it, or without its special characters, is safe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from selfheal.errors import TemplateError
from selfheal.templates import render

EVENT_DATA = frozenset(
    {
        *("event", "events", "fact", "facts", "fault", "target", "component", "root_cause"),
        "attempt",
    }
)
"""Variables that hold what came with an event; all others are the author's or the operator's."""

NAME = re.compile(r"[A-Za-z0-9_](?:[\w.-]*\w)?", re.ASCII)
"""What may name a host or a file when an event names it."""


def by_author(raw: Any, rendered: Any, variables: Mapping[str, Any]) -> bool:
    """Tell whether `raw` renders to the same without any event data."""
    if raw == rendered:
        return True
    own = {name: value for name, value in variables.items() if name not in EVENT_DATA}
    try:
        return bool(render(raw, own) == rendered)
    except TemplateError:
        return False


def free_of(
    harmful: re.Pattern[str], raw: Any, rendered: Any, variables: Mapping[str, Any]
) -> bool:
    """Tell whether event data has brought nothing into `rendered` that `harmful` matches."""
    if by_author(raw, rendered, variables):
        return True
    cleaned = {
        name: _without(harmful, value) if name in EVENT_DATA else value
        for name, value in variables.items()
    }
    try:
        return bool(render(raw, cleaned) == rendered)
    except TemplateError:
        return False


def _without(harmful: re.Pattern[str], value: Any) -> Any:
    if isinstance(value, str):
        return harmful.sub("", value)
    if isinstance(value, Mapping):
        # Keys can be rendered, too: a cleaned one is not found again, which is a refusal.
        return {harmful.sub("", str(key)): _without(harmful, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without(harmful, item) for item in value]
    return value
