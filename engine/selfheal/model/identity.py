"""Ids: short, unique, and sorted by the time they were made."""

from __future__ import annotations

import hashlib
import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u to misread


def new_id(prefix: str) -> str:
    """Return `<prefix>-` and 16 characters: 9 of time in milliseconds, 7 of chance."""
    number = (time.time_ns() // 1_000_000) << 35 | int.from_bytes(os.urandom(5)) >> 5
    text = ""
    for _ in range(16):
        text = _ALPHABET[number & 31] + text
        number >>= 5
    return f"{prefix}-{text}"


def fingerprint_of(*parts: str) -> str:
    """Return a stable 16-digit hexadecimal hash of `parts`; order and boundaries count."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8) + data)
    return digest.hexdigest()[:16]
