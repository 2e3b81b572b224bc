"""A cursor over a condition's text that remembers how far any attempt has come."""

from __future__ import annotations

import re

_SPACE = re.compile(r"[ \t\r\n]*")


class Scanner:
    """Takes patterns off a text; a failed attempt leaves the position as it was."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.furthest = 0
        """Offset behind which no attempt could go on: where the mistake is."""
        self.expected: list[str] = []
        """What was looked for there, each once, in the order of looking."""

    def skip_space(self) -> int:
        """Move to the next character that is no white space; return its offset."""
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position
        return self.position

    def take(self, pattern: re.Pattern[str], expected: str = "") -> re.Match[str] | None:
        """Take `pattern` at the next character, white space skipped; None when it isn't there."""
        start = self.position
        offset = self.skip_space()
        if match := pattern.match(self.text, offset):
            self.position = match.end()
            return match
        if expected:
            self._note(offset, expected)
        self.position = start
        return None

    def _note(self, offset: int, expected: str) -> None:
        if offset > self.furthest:
            self.furthest, self.expected = offset, []
        if offset == self.furthest and expected not in self.expected:
            self.expected.append(expected)

    def at_end(self) -> bool:
        """Tell whether nothing but white space is left."""
        return self.skip_space() == len(self.text)
