"""How a secret may be spelled in a text: as it is, escaped, quoted, encoded, line by line.

Whatever escapes a text leaves its letters and digits alone. So one pattern finds all spellings,
and a text without the secret's longest word, its *anchor*, needs no pattern at all.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from html.entities import codepoint2name
from typing import NamedTuple

SHORTEST_LINE = 8
_SHORTEST_INNER = 8  # bytes of a secret that is looked for amid longer base64, and in hex
_LINE = 64  # characters of base64 without more than one line break

_WORDS = re.compile(r"[0-9A-Za-z]+")
_PIECES = re.compile(r"[0-9A-Za-z]+|\s+|['\"\\]+|.", re.DOTALL)
# Backslashes: JSON in JSON in JSON in JSON writes 15 before a quote. Bounded, so that no text
# makes the search slow.
_BACKSLASHES = r"\\{0,16}"
_SPACE = r"\s|\\{1,16}(?:\s|[nrtvfN_LP])|%0[9aAdD]|%20|&#1[03];"
_LETTERS = {"\0": "0", "\a": "a", "\b": "b", "\x1b": "e"}  # JSON and YAML write \b
_FOLD = r"(?:\\?\n\s*)?"  # as YAML breaks a line after an escape
_QUOTES = "'\"\\"
_BREAK = r"(?:\s|\\{1,16}[rn]|%0[aAdD])*"


class Spelling(NamedTuple):
    """One way to find a secret."""

    anchor: str
    """Stands in every text that holds it; may be empty."""
    expression: str
    """A regular expression that finds it: of no use, and costly to compile, without the anchor."""


def spellings(secret: str) -> list[Spelling]:
    """Return how to find `secret` and each line of it that has 8 characters or more."""
    lines = [line.strip() for line in secret.splitlines()]
    parts = dict.fromkeys([secret, *(line for line in lines if len(line) >= SHORTEST_LINE)])
    found = (spelling for part in parts for spelling in _of_one(part))
    return list(dict.fromkeys(found))


def _of_one(text: str) -> Iterator[Spelling]:
    yield Spelling(_longest_word(text), f"{re.escape(text)}|{''.join(_pieces(text))}")
    data = text.encode("utf-8", "surrogatepass")
    yield from _base64(data)
    if len(data) >= _SHORTEST_INNER:
        for written in (data.hex(), data.hex().upper()):
            yield Spelling(written, written)


def _longest_word(text: str) -> str:
    return max(_WORDS.findall(text), key=len, default="")


def _pieces(text: str) -> Iterator[str]:
    """Letters and digits; white space; quotes and backslashes; or one other character."""
    before = ""
    for piece in _PIECES.findall(text):
        if _WORDS.fullmatch(piece):
            yield piece
        elif piece.isspace():
            ways = "|".join(dict.fromkeys(way for char in piece for way in _ways(char)))
            yield rf"(?:(?>{_SPACE}|\\{{0,16}}(?:{ways}))+|\+{{1,{len(piece)}}})"
        elif piece[0] in _QUOTES:
            # Shells write ' as '"'"' or '\'': of a run of them any run is taken, not too long.
            ways = "|".join(way for char in _QUOTES for way in _ways(char))
            yield rf"(?>['\"\\]|{ways}){{{len(piece)},{40 * len(piece)}}}{_FOLD}"
        else:
            # A run of quotes has taken the backslashes that follow it.
            escapes = "" if before and before in _QUOTES else _BACKSLASHES
            yield rf"{escapes}(?:{re.escape(piece)}|{'|'.join(_ways(piece))}){_FOLD}"
        before = piece[-1]


def _ways(char: str) -> Iterator[str]:
    """`\\u00f6`, `\\xf6`, `&#246;`, `&ouml;`, `%C3%B6`, without the backslash they begin with."""
    code, data = ord(char), char.encode("utf-8", "surrogatepass")
    units = char.encode("utf-16-be", "surrogatepass").hex()
    yield r"\\{1,16}".join(f"u{_hex(units[at : at + 4])}" for at in range(0, len(units), 4))
    yield f"U{_hex(f'{code:08x}')}"
    if char in _LETTERS:
        yield _LETTERS[char]
    if code < 0x100:
        yield f"x{_hex(f'{code:02x}')}"
    if code >= 0x80:
        yield r"\\{1,16}".join(f"x{_hex(f'{byte:02x}')}" for byte in data)
    yield f"&(?:amp;)?#0*(?:{code}|[xX]0*{_hex(f'{code:x}')});"
    if name := "apos|#39" if char == "'" else codepoint2name.get(code):
        yield f"&(?:amp;)?(?:{name});"
    yield "".join(f"%(?:25)?{_hex(f'{byte:02x}')}" for byte in data)


def _hex(digits: str) -> str:
    """Match hexadecimal digits in either case."""
    return "".join(f"[{one}{one.upper()}]" if one.isalpha() else one for one in digits)


def _base64(data: bytes) -> Iterator[Spelling]:
    """The whole, and the part that is the same wherever the secret stands in a longer text."""
    whole = base64.b64encode(data).decode().rstrip("=")
    if len(data) < _SHORTEST_INNER:
        yield from _encoded(whole)
        return
    for before in range(3):
        text = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        first = (before * 8 + 5) // 6  # characters that also hold bits of what stands before
        last = (before + len(data)) * 8 // 6  # and of what stands after
        tail = f"(?:{_sign(text[last:])})?" if not before and text[last:] else ""
        yield from _encoded(text[first:last], tail)


def _encoded(text: str, tail: str = "") -> Iterator[Spelling]:
    """Of the two halves of a line one is without a break, so each is an anchor."""
    expression = _BREAK.join(_sign(char) for char in text) + tail
    start = text[:_LINE]
    middle = len(start) // 2
    for half in (start[:middle], start[middle:]):
        yield Spelling(_longest_word(half), expression)


def _sign(char: str) -> str:
    if char == "+":
        return r"(?:[+-]|%2[bB]|\\{1,16}u002[bB])"
    return r"\\{0,16}(?:[/_]|%2[fF]|u002[fF])" if char == "/" else char
