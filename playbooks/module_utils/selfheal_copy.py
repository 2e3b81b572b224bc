"""The copy of what a cache held: one private file, a line of JSON an entry."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from typing import Any

from ansible.module_utils.selfheal_memory import private_directory, write_privately


class CopyTooLarge(Exception):
    """Nothing was written: the copy would be larger than it may be."""


def copy_arguments() -> dict[str, Any]:
    """The options of every module that clears by a pattern and keeps such a copy."""
    return {
        "pattern": {"type": "str", "default": "*"},
        "state": {"type": "str", "default": "absent", "choices": ["absent", "restored"]},
        "remember": {"type": "path"},
        "copy_limit": {"type": "int", "default": 256 * 1024 * 1024},
    }


class Copy:
    """The copy at `path`. The first that is kept stays; without a path nothing is kept."""

    def __init__(self, path: str | None, limit: int) -> None:
        self.path = path
        self.limit = limit

    @property
    def exists(self) -> bool:
        return self.path is not None and os.path.exists(self.path)

    def keep(self, entries: Iterable[list[Any]]) -> None:
        """Keep entries of text, numbers and bytes unless something is kept already."""
        if self.path is None or self.exists:
            return
        lines, size = [], 0
        for entry in entries:
            lines.append(json.dumps(entry, default=_text) + "\n")
            size += len(lines[-1])
            if size > self.limit:
                raise CopyTooLarge(f"the copy would be larger than {self.limit} bytes")
        private_directory(os.path.dirname(self.path))
        write_privately(self.path, "".join(lines).encode())

    def entries(self) -> list[list[Any]]:
        """What is kept; bytes are in base64."""
        if self.path is None or not self.exists:
            return []
        with open(self.path, encoding="ascii") as file:
            return [json.loads(line) for line in file]

    def forget(self) -> None:
        """Drop it, so that a second rollback finds nothing to do."""
        if self.path is not None and self.exists:
            os.unlink(self.path)


def _text(value: Any) -> str:
    """How JSON gets bytes."""
    return base64.b64encode(value).decode()
