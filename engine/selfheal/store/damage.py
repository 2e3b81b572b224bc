"""Damage: which tables of a file are broken, found within a time limit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selfheal.clock import SystemClock

ADVICE = (
    "see what is left with: selfheal db check; then restore a backup (selfheal db backup makes "
    "them), or save what can be saved with: sqlite3 FILE .recover | sqlite3 NEW"
)
_STEPS_BETWEEN_LOOKS = 2000
# The large ones last: a look that is cut short has seen what the next start acts on.
_LAST = ("validations", "decisions", "tasks", "timeline", "events")


def damaged_tables(raw: sqlite3.Connection, seconds: float) -> tuple[list[str], bool]:
    """Return what is broken, and whether everything was looked at within `seconds`.

    Looks at one table after the other with its indexes, large ones last."""
    damaged: list[str] = []
    with _deadline(raw, seconds) as is_over:
        try:
            names = _tables(raw)
        except sqlite3.Error:
            return ["the list of tables"], True
        for name in names:
            if is_over():
                return damaged, False
            if (finding := _look_at(raw, name)) and not is_over():
                damaged.append(f"{name} ({finding})")
    return damaged, not is_over()


def _tables(raw: sqlite3.Connection) -> list[str]:
    names = [row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return sorted(names, key=lambda name: (_LAST.index(name) if name in _LAST else -1, name))


def _look_at(raw: sqlite3.Connection, table: str) -> str:
    """Return the first thing wrong with a table, empty when nothing is."""
    try:
        row = raw.execute(f"PRAGMA quick_check('{table}')").fetchone()
    except sqlite3.Error as error:
        return str(error)
    said = str(row[0]) if row else "ok"
    return "" if said == "ok" else said.splitlines()[-1]


@contextmanager
def _deadline(raw: sqlite3.Connection, seconds: float) -> Iterator[Callable[[], bool]]:
    clock = SystemClock()
    end = clock.monotonic() + seconds

    def is_over() -> bool:
        return clock.monotonic() > end

    raw.set_progress_handler(is_over, _STEPS_BETWEEN_LOOKS)
    try:
        yield is_over
    finally:
        raw.set_progress_handler(None, 0)


def committed_frames(log: Path) -> list[int]:
    """Return the numbers, from 1, of the frames of a write-ahead log that end a transaction.

    Only what belongs to the log's newest round; whether it is sound is for SQLite to say."""
    try:
        data = log.read_bytes()
    except OSError:
        return []
    size = int.from_bytes(data[8:12], "big") + 24
    if len(data) < 32 + size or not 512 <= size - 24 <= 65536:
        return []
    salts = {data[16:24], data[32 + 8 : 32 + 16]}
    headers = [data[at : at + 16] for at in range(32, len(data) - size + 1, size)]
    return [
        number
        for number, header in enumerate(headers, 1)
        if header[8:16] in salts and any(header[4:8])
    ]
