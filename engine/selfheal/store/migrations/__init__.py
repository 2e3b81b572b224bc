"""The tables, as numbered steps: append-only, never edited once released.

One file a step; the number in its name is its place in the order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from selfheal.clock import Clock
from selfheal.errors import StoreError
from selfheal.store.connection import APPLICATION_ID, Connection
from selfheal.store.migrations.m001_events_faults_incidents import m001_events_faults_incidents
from selfheal.store.migrations.m002_decisions_healings import m002_decisions_healings
from selfheal.store.migrations.m003_timeline_inbox import m003_timeline_inbox
from selfheal.store.migrations.m004_solution_records import m004_solution_records
from selfheal.store.migrations.m005_inputs_firings import m005_inputs_firings
from selfheal.store.migrations.m006_locks import m006_locks
from selfheal.store.migrations.m007_rails import m007_rails
from selfheal.store.migrations.m008_approvals import m008_approvals
from selfheal.store.migrations.m009_outbox import m009_outbox
from selfheal.store.migrations.m010_retention import m010_retention

if TYPE_CHECKING:
    from sqlite_utils import Database

MIGRATIONS: tuple[Callable[[Database], None], ...] = (
    m001_events_faults_incidents,
    m002_decisions_healings,
    m003_timeline_inbox,
    m004_solution_records,
    m005_inputs_firings,
    m006_locks,
    m007_rails,
    m008_approvals,
    m009_outbox,
    m010_retention,
)

_HISTORY = """
CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT, applied_at FLOAT)
"""


def migrate(db: Connection, clock: Clock) -> None:
    """Bring the file to this version of the code, each step and its note in one transaction.

    Raises StoreError for a file that a newer selfheal has written."""
    done = _applied(db)
    if done > len(MIGRATIONS):
        raise StoreError(
            f"{db.path} was written by a newer selfheal (format {done}, this one knows up to "
            f"{len(MIGRATIONS)}); upgrade selfheal, or give another path"
        )
    if done == len(MIGRATIONS):
        return
    from sqlite_utils import Database  # slow to import, and rarely needed

    tables = Database(db.raw)
    for number, step in enumerate(MIGRATIONS, 1):
        with db.writing():
            # Another process may have been faster while this one waited for the lock.
            if number > _applied(db):
                step(tables)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(_HISTORY)
                row = {"number": number, "name": step.__name__, "applied_at": clock.now()}
                db.insert("migrations", row)


def format_of(path: Path) -> int:
    """Return how many steps the file has had, without changing it. Raises StoreError."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as raw:
            (there,) = raw.execute(
                "SELECT count(*) FROM sqlite_master WHERE name = 'migrations'"
            ).fetchone()
            if not there:
                return 0
            (number,) = raw.execute("SELECT max(number) FROM migrations").fetchone()
            return int(number or 0)
    except sqlite3.Error as error:
        raise StoreError(f"the record {path} can't be read: {error}") from error


def _applied(db: Connection) -> int:
    if not db.row("SELECT 1 FROM sqlite_master WHERE name = 'migrations'"):
        return 0
    row = db.row("SELECT max(number) AS number FROM migrations")
    return row["number"] or 0 if row else 0
