"""Planted secrets: every spelling a leak could have, looked for in bytes."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus


def written(secret: str) -> set[bytes]:
    """Return the spellings, made here anew and not by the code under test."""
    parts = [secret, *(line for line in secret.splitlines() if len(line) >= 8)]
    found: set[str] = set()
    for part in parts:
        found |= {part, json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]}
        found |= {quote(part), quote(part, safe=""), quote_plus(part), html.escape(part)}
        found |= {shlex.quote(part), repr(part)[1:-1]}
        data = part.encode()
        found |= {base64.b64encode(data).decode().rstrip("=")}
        # Amid a longer text: a login such as `user:password`.
        found |= {base64.b64encode(b"0" * before + data).decode()[4:-4] for before in (1, 2)}
    return {one.encode() for one in found if len(one) >= 8}


def leaks(secrets: Iterable[str], place: str, content: bytes) -> Iterator[str]:
    """Yield a line for each spelling found in `content`."""
    for secret in secrets:
        for spelling in written(secret):
            if spelling in content:
                yield f"{secret[:40]!r} as {spelling[:60]!r} in {place}"


def leaks_in_folder(secrets: Iterable[str], folder: Path) -> list[str]:
    """Return what is found in the files below `folder`, names included."""
    known = list(secrets)
    found: list[str] = []
    for path in sorted(folder.rglob("*")):
        found += leaks(known, "a file name", str(path).encode())
        with contextlib.suppress(FileNotFoundError):  # it has gone meanwhile
            if path.is_file() and not path.is_symlink():
                found += leaks(known, str(path), path.read_bytes())
    return found


class CommandLines:
    """Every command line on the machine, seen as often as it is sampled."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    def sample(self) -> None:
        """Look once."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.seen.add(path.read_bytes())
            except OSError:
                continue  # it has ended meanwhile
