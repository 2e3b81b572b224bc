"""Text for a terminal: what may come from anybody who can send an event has no control over it."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text`, line breaks and tabs kept, every other control character replaced.

    Escape sequences, C1 controls and the marks that turn the writing direction are such."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
