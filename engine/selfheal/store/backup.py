"""Backup: a consistent copy of the file while others write to it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from selfheal.errors import StoreError

PAGES_A_STEP = 500


def back_up(source: Path, target: Path, *, force: bool = False) -> int:
    """Copy the record to `target` (0600) as it is at one moment; return its size in bytes.

    The copy is one file, checked as a whole before it gets its name. Nobody waits meanwhile; the
    write-ahead log of the source grows until it is done. Raises StoreError, also when `target`
    is there and not `force`d."""
    if not source.exists():
        raise StoreError(f"no record at {source}")
    if target.exists() and (not force or target.samefile(source)):
        itself = target.samefile(source)
        raise StoreError(f"{target} is {'the record itself' if itself else 'there; see --force'}")
    partial = target.with_name(f"{target.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        _copy(source, partial)
        partial.replace(target)
        _sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise StoreError(f"the backup {target} was not made: {why}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(source: Path, partial: Path) -> None:
    uri = f"{source.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as original:
        # One read transaction: without it each write by the engine would start the copy anew.
        original.execute("BEGIN")
        original.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(partial, isolation_level=None)) as copy:
            original.backup(copy, pages=PAGES_A_STEP)
            _check(copy)
            # One file, without a log beside it.
            copy.execute("PRAGMA journal_mode = DELETE")


def _check(copy: sqlite3.Connection) -> None:
    try:
        found = [row[0] for row in copy.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    if found != ["ok"]:
        raise StoreError(f"the record is damaged, no backup was made: {found[0]}")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
