"""The SQLite connection: opening it privately, transactions, and errors fit for an operator."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from selfheal.errors import StoreError
from selfheal.store.damage import ADVICE, damaged_tables

MEMORY = ":memory:"
PATIENCE = 10.0  # seconds that a writer waits for another process's short transaction
IMPATIENCE = 0.05  # what is left of it after it was in vain, until a write goes through again
STATEMENTS = 512  # compiled and kept; the engine uses some 150 again and again
LOG_SIZE = 16 * 1024 * 1024  # bytes the write-ahead log shrinks to after a burst
CHECKPOINT_AT = LOG_SIZE // 4096  # pages; each one syncs twice, in the middle of a commit
FIND_DAMAGE_SECONDS = 1.0
APPLICATION_ID = 0x73686561  # "shea", in the file's header: tells our files from anybody else's

_ADVICE = {
    "SQLITE_NOTADB": "it is not an SQLite database; give another path",
    "SQLITE_READONLY": "it can't be written; check owner and mode of the file and its folder",
    "SQLITE_CANTOPEN": "it can't be opened; check that its folder exists and is yours",
    "SQLITE_FULL": "the disk is full; nothing was written",
    "SQLITE_IOERR": "the disk fails; nothing was written",
    "SQLITE_BUSY": "another process holds it for too long; nothing was written",
}


class Conflict(StoreError):
    """A uniqueness rule of the record says no; nothing was written by the statement."""


class Busy(StoreError):
    """Another process held the file for longer than the connection's patience."""


class Damaged(StoreError):
    """The file holds what SQLite can't have written."""


class Connection:
    """One connection, usable from several threads, one at a time."""

    def __init__(
        self,
        path: Path | str,
        mask: Callable[[str], str] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """Open the file, creating it (0600, its folder 0700) when it is not there.

        Every text goes through `mask` on its way to SQLite, what is looked for included. A
        statement waits for other processes for `patience` seconds; once that was in vain the
        next ones hardly wait, until one goes through: who holds the file for long stalls the
        caller once and not each time. Raises Damaged, StoreError."""
        self.path = str(path)
        self._mask = mask
        self._patience = patience
        self._impatient = False
        self._lock = threading.RLock()
        self._depth = 0
        self._syncs = True
        if self.path != MEMORY:
            _create_private(Path(self.path))
        with self._explained():
            self.raw = sqlite3.connect(
                self.path,
                timeout=patience,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=STATEMENTS,
            )
        try:
            self.raw.row_factory = sqlite3.Row
            self._prepare()
        except BaseException:
            self.raw.close()
            raise

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Cursor:
        """Run one statement. Raises Conflict, StoreError."""
        if self._mask is not None:
            values = _masked(values, self._mask)
        with self._lock:
            try:
                cursor = self._run(sql, values)
                if self._impatient and self.raw.in_transaction:
                    self._wait_for(self._patience)
            except sqlite3.Error as error:
                raise self._explanation(error) from error
            return cursor

    def row(
        self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> dict[str, Any] | None:
        """Return the first row, column name to value."""
        rows = self.rows(sql, values)
        return rows[0] if rows else None

    def rows(
        self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[dict[str, Any]]:
        """Return all rows."""
        with self._lock, self._explained():
            cursor = self.execute(sql, values)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """Insert one row, return its rowid. Table and column names come from the code only."""
        columns = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" for _ in row)
        statement = f'INSERT INTO "{table}" ({columns}) VALUES ({marks})'  # noqa: S608 (names are the code's own)
        with self.one_statement():
            return self.execute(statement, tuple(row.values())).lastrowid or 0

    def insert_all(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert rows in one transaction."""
        with self.writing():
            for row in rows:
                self.insert(table, row)

    @contextmanager
    def writing(self, *, durable: bool = True) -> Generator[None]:
        """A write transaction; inside another one, a savepoint of it.

        What was written is on disk at the end of the outermost one, and gone if it raises. With
        `durable=False`, on the outermost one, it survives the end of this process at once, and
        the loss of power from the next durable one on: whatever is on disk, all before it is."""
        with self._lock:
            self._sync_at_commit(durable)
            begin, commit, undo = self._verbs()
            self.execute(begin)
            self._depth += 1
            try:
                yield
                self.execute(commit)
            except BaseException:
                self._undo(undo)
                raise
            finally:
                self._depth -= 1

    @contextmanager
    def one_statement(self, *, durable: bool = True) -> Generator[None]:
        """A write transaction for a single statement.

        Inside another transaction there is nothing to begin: a statement is whole or not at all."""
        with self._lock:
            if self._depth:
                yield
                return
            with self.writing(durable=durable):
                yield

    @contextmanager
    def reading(self) -> Generator[None]:
        """Several reads that see one state of the file."""
        with self._lock:
            if self.raw.in_transaction:
                yield
                return
            self.execute("BEGIN")
            try:
                yield
            finally:
                self._undo(("ROLLBACK",))

    def close(self) -> None:
        """Close; a second time does nothing."""
        with self._lock, self._explained():
            self.raw.close()

    def _run(self, sql: str, values: Any) -> sqlite3.Cursor:
        try:
            return self.raw.execute(sql, values)
        except UnicodeEncodeError:
            return self.raw.execute(sql, _encodable(values))

    def _sync_at_commit(self, wanted: bool) -> None:
        if self._depth == 0 and wanted is not self._syncs:
            self.execute(f"PRAGMA synchronous = {'FULL' if wanted else 'NORMAL'}")
            self._syncs = wanted

    def _verbs(self) -> tuple[str, str, tuple[str, ...]]:
        if self._depth == 0:
            # IMMEDIATE: the lock is taken, or waited for, before anything is read.
            return "BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",)
        name = f"level_{self._depth}"
        return f"SAVEPOINT {name}", f"RELEASE {name}", (f"ROLLBACK TO {name}", f"RELEASE {name}")

    def _undo(self, statements: Iterable[str]) -> None:
        # SQLite ends the whole transaction by itself on a full disk or an I/O error.
        if self.raw.in_transaction:
            for statement in statements:
                self.execute(statement)

    def _prepare(self) -> None:
        with self._explained():
            self._check_owner()
            self._use_wal()
            self.raw.execute(f"PRAGMA journal_size_limit = {LOG_SIZE}")
            self.raw.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_AT}")
            self.raw.execute("PRAGMA temp_store = MEMORY")
            self.raw.execute("PRAGMA synchronous = FULL")
            self.raw.execute("PRAGMA foreign_keys = ON")

    def _check_owner(self) -> None:
        # Tables first: another process may be creating them, with the id, between the two looks.
        (tables,) = self.raw.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (owner,) = self.raw.execute("PRAGMA application_id").fetchone()
        if owner != APPLICATION_ID and (owner or tables):
            raise StoreError(f"{self.path} is an SQLite database of another program")
        if not tables:
            # Before anything is written: a file can't learn later, short of VACUUM, to shrink.
            self.raw.execute("PRAGMA auto_vacuum = INCREMENTAL")

    def _use_wal(self) -> None:
        # SQLite does not wait its busy timeout for this one switch.
        for left in reversed(range(100)):
            try:
                self.raw.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_BUSY" or not left:
                    raise
                time.sleep(self._patience / 100)

    def _wait_for(self, seconds: float) -> None:
        self._impatient = seconds < self._patience
        self.raw.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._explanation(error) from error

    def _explanation(self, error: sqlite3.Error) -> StoreError:
        if isinstance(error, sqlite3.IntegrityError):
            return Conflict(f"the record {self.path} refuses it: {error}")
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith("SQLITE_CORRUPT"):
            return self.damage(str(error), FIND_DAMAGE_SECONDS)
        advice = next((text for key, text in _ADVICE.items() if name.startswith(key)), "")
        reason = f"{advice} ({error})" if advice else str(error)
        if name.startswith("SQLITE_BUSY"):
            with suppress(sqlite3.Error):
                self._wait_for(min(IMPATIENCE, self._patience))
            return Busy(f"the record {self.path}: {reason}")
        return StoreError(f"the record {self.path}: {reason}")

    def damage(self, what: str, seconds: float) -> Damaged:
        """Return the error for a damaged file; looks for `seconds` for the tables concerned."""
        tables, complete = damaged_tables(self.raw, seconds)
        where = f" in {', '.join(tables)}" if tables else ""
        more = "" if complete else "; not everything was looked at"
        return Damaged(f"the record {self.path} is damaged{where} ({what}{more}); {ADVICE}")


def _create_private(path: Path) -> None:
    """Make the file, or its mode, private.

    One that is there is never opened here: closing any descriptor of a file lets go every lock
    that SQLite holds on it in this process, and with them the write-ahead log.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            os.close(os.open(path, flags, 0o600))
        mode = path.stat().st_mode
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if stat.S_ISREG(mode) and mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise StoreError(f"the record {path} can't be opened: {error.strerror}") from error


def _masked(values: Sequence[Any] | Mapping[str, Any], mask: Callable[[str], str]) -> Any:
    if isinstance(values, Mapping):
        return {key: mask(one) if isinstance(one, str) else one for key, one in values.items()}
    return tuple(mask(one) if isinstance(one, str) else one for one in values)


def _encodable(values: Sequence[Any] | Mapping[str, Any]) -> Any:
    """Replace lone surrogates, which SQLite's UTF-8 has no room for."""
    if isinstance(values, Mapping):
        return {name: _clean(value) for name, value in values.items()}
    return tuple(_clean(value) for value in values)


def _clean(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
