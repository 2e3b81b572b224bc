"""The record, composed of its repositories."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from selfheal.clock import Clock, SystemClock
from selfheal.store.approvals import Approvals
from selfheal.store.connection import Connection
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
):
    """Implements `ports.Record` on one SQLite file; several processes may have it open.

    Each writing method is one transaction, on disk when it returns."""

    def transaction(self) -> AbstractContextManager[None]:
        """Group writes: all are on disk at the end, or none if the block raises.

        Nothing may be awaited inside: other tasks' writes would join the transaction, and other
        processes wait for its end."""
        return self._db.writing()

    @property
    def db(self) -> Database:
        """The same connection as a sqlite-utils Database, for queries of one's own."""
        from sqlite_utils import Database  # slow to import, and rarely needed

        return Database(self._db.raw)

    def close(self) -> None:
        self._db.close()


def open_record(
    path: Path | str, clock: Clock | None = None, mask: Callable[[str], str] | None = None
) -> SqliteRecord:
    """Open the record, creating or upgrading it; `":memory:"` is the in-memory twin.

    Every text is written through `mask` (`Secrets.mask_document`), so that no secret it knows is
    ever in the file.
    The file is made private to the user (0600). Raises StoreError when it is no record of
    selfheal, is damaged, can't be written, or was written by a newer selfheal."""
    clock = clock or SystemClock()
    db = Connection(path, mask)
    try:
        migrate(db, clock)
    except BaseException:
        db.close()
        raise
    return SqliteRecord(db, clock)
