"""The record, composed of its repositories."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from selfheal.clock import Clock, SystemClock
from selfheal.model import Kind
from selfheal.store.approvals import Approvals
from selfheal.store.check import Health
from selfheal.store.connection import PATIENCE, Connection
from selfheal.store.damage import committed_frames, damaged_tables
from selfheal.store.decisions import Decisions
from selfheal.store.events import Events
from selfheal.store.faults import Faults
from selfheal.store.firings import Firings
from selfheal.store.guards import Guards
from selfheal.store.healings import Healings
from selfheal.store.inbox import Messages
from selfheal.store.incidents import Incidents
from selfheal.store.knowledge import Knowledge
from selfheal.store.migrations import migrate
from selfheal.store.outbox import Outbox
from selfheal.store.retention import Upkeep
from selfheal.store.timeline import Story

if TYPE_CHECKING:
    from sqlite_utils import Database

ENGINE_PATIENCE = 1.0  # its event loop stands still meanwhile
LOOK_SECONDS = 0.2

log = logging.getLogger(__name__)


class SqliteRecord(
    Events,
    Firings,
    Faults,
    Incidents,
    Decisions,
    Guards,
    Approvals,
    Healings,
    Knowledge,
    Story,
    Messages,
    Outbox,
    Upkeep,
    Health,
):
    """Implements `ports.Record` on one SQLite file; several processes may have it open.

    Each writing method is one transaction, on disk when it returns."""

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """Group writes: all are on disk at the end, or none if the block raises; see the port.

        Nothing may be awaited inside: other tasks' writes would join the transaction, and other
        processes wait for its end."""
        return self._db.writing(durable=durable)

    @property
    def db(self) -> Database:
        """The same connection as a sqlite-utils Database, for queries of one's own."""
        from sqlite_utils import Database  # slow to import, and rarely needed

        return Database(self._db.raw)

    def close(self) -> None:
        self._db.close()


def open_record(
    path: Path | str,
    clock: Clock | None = None,
    mask: Callable[[str], str] | None = None,
    *,
    for_engine: bool = False,
) -> SqliteRecord:
    """Open the record, creating or upgrading it; `":memory:"` is the in-memory twin.

    Every text is written through `mask` (`Secrets.mask_document`), so that no secret it knows is
    ever in the file. The file is made private to the user (0600). `for_engine`: waits for other
    processes for a second at most, looks the file over, and tells what a damaged write-ahead log
    has cost. Raises StoreError when it is no record of selfheal, is damaged, can't be written,
    or was written by a newer selfheal."""
    clock = clock or SystemClock()
    ahead = Path(f"{path}-wal")
    committed = committed_frames(ahead) if for_engine else []
    db = Connection(path, mask, ENGINE_PATIENCE if for_engine else PATIENCE)
    try:
        if for_engine:
            _look_over(db)
        lost = _lost(db, committed)
        if lost:
            shutil.copy(ahead, f"{ahead}.damaged")  # before anything is written over it
        migrate(db, clock)
        record = SqliteRecord(db, clock)
        if lost:
            _tell_lost(record, f"{ahead}.damaged", lost)
    except BaseException:
        db.close()
        raise
    return record


def _look_over(db: Connection) -> None:
    """Refuse a file that a short look finds damaged; the rest is found at the first touch."""
    tables, _ = damaged_tables(db.raw, LOOK_SECONDS)
    if tables:
        raise db.damage("found at the start", LOOK_SECONDS)


def _lost(db: Connection, committed: Sequence[int]) -> int:
    """How many transactions at the end of the write-ahead log SQLite could not read."""
    if not committed:
        return 0
    sound = db.rows("PRAGMA wal_checkpoint(PASSIVE)")[0]["log"]
    return sum(frame > sound for frame in committed)


def _tell_lost(record: SqliteRecord, kept: str, lost: int) -> None:
    """SQLite drops what follows a damaged place without a word; the operator is told."""
    text = (
        f"the write-ahead log was damaged: its last {lost} transactions are lost; "
        f"the damaged log is kept as {kept}"
    )
    log.error(text)
    record.tell(Kind.ENGINE, text, data={"lost": lost, "kept": kept})
