"""Hints for the mistakes people make in conditions."""

from __future__ import annotations

import re

_HINTS = (
    (r"=(?!=)", "compare with '=='"),
    (r"&&", "write 'and'"),
    (r"\|\|", "write 'or'"),
    (r"!(?!=)", "write 'not'"),
    (r"\{", "quote it, or write vars.NAME without braces"),
    (r"\|", "Jinja filters don't work in conditions; prepare the event in a filter of the source"),
    (r"\]", "an empty list can't be written; test for an item: event.x[0] is not defined"),
    (r"\[", "an index goes right behind a path; lists don't nest"),
    (r"(between)\b", "write: event.i >= 1 and event.i <= 2"),
    (r"(null|none)\b", "write: event.x == null, or: event.x is not defined"),
    (r"in\b", "write 'in', not 'is in'"),
    (r"[\"']", "the quote is not closed, or a quote stands inside; use the other kind around it"),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), hint) for pattern, hint in _HINTS)
_FUNCTION = re.compile(r"\w+\($")


def hint_for(text: str, offset: int) -> str:
    """Return a hint on what stands at `offset`; empty when nothing clever can be said."""
    for pattern, hint in _PATTERNS:
        if pattern.match(text, offset):
            return hint
    if _FUNCTION.search(text[: offset + 1].rstrip()):
        return "functions don't work in conditions; prepare the event in a filter of the source"
    return ""
