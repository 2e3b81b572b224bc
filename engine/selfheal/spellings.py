"""How a secret may be spelled in a text: as it is, escaped, quoted, encoded, line by line."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST_LINE = 8
_SHORTEST = 4
_SHORTEST_INNER = 8  # bytes of a secret that is also looked for inside a longer base64 text


def spellings(secret: str) -> set[str]:
    """Return every spelling of `secret` that is looked for; each has 4 characters or more."""
    lines = [line.strip() for line in secret.splitlines()]
    parts = [secret, *(line for line in lines if len(line) >= SHORTEST_LINE)]
    found = {spelling for part in parts for spelling in _of_one(part)}
    return {spelling for spelling in found if len(spelling) >= _SHORTEST}


def _of_one(text: str) -> Iterator[str]:
    yield text
    yield " ".join(text.split())
    yield from _escaped(text)
    yield from _quoted(text)
    yield from _percent(text)
    yield from _base64(text.encode("utf-8", "surrogatepass"))


def _escaped(text: str) -> Iterator[str]:
    """JSON, JSON inside JSON, Python's repr (with either quote), HTML."""
    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=ascii_only)[1:-1]
    yield repr(text)[1:-1]
    yield repr(f"{text}'\"")[1:-1].removesuffix("\\'\"")  # as Python writes it amid both quotes
    yield repr(f"{text}'")[1:-2]
    yield html.escape(text)


def _quoted(text: str) -> Iterator[str]:
    """POSIX shells' single and double quotes, backslashes, and YAML's single quotes."""
    yield shlex.quote(text)
    yield text.replace("'", "'\"'\"'")
    yield text.replace("'", "'\\''")
    yield text.replace("'", "''")
    yield "".join(f"\\{char}" if char in '\\"$`' else char for char in text)
    yield "".join(char if char.isalnum() or char in "_-./" else f"\\{char}" for char in text)


def _percent(text: str) -> Iterator[str]:
    for written in (
        quote(text, safe=""),
        quote(text),
        quote_plus(text),
        quote(text, safe="~!*'()"),
    ):
        yield written
        yield _lower_hex(written)


def _lower_hex(written: str) -> str:
    head, *rest = written.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in rest)])


def _base64(data: bytes) -> Iterator[str]:
    """The whole, and the part that is the same wherever the secret stands in a longer text."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode().rstrip("=")
        if len(data) < _SHORTEST_INNER:
            continue
        for before in range(3):
            text = encode(b"\0" * before + data).decode().rstrip("=")
            first = (before * 8 + 5) // 6  # characters that also hold bits of what stands before
            last = (before + len(data)) * 8 // 6  # and of what stands after
            yield text[first:last]
