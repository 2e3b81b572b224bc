"""`selfheal db`: the record is kept in order from the command line."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from unittest import mock

import pytest

from selfheal.config import load_project
from selfheal.daemon.lock import engine_lock
from selfheal.model import Kind, Notification
from selfheal.store import SqliteRecord, open_record
from selfheal.store.migrations import MIGRATIONS
from tests.cli.support import data_of, selfheal
from tests.store.nouns import a_healing, a_step, an_attempt
from tests.store.test_disk_faults import overwrite, pages_of
from tests.store.test_retention import DAY, heal_one


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def database(project: Path) -> Path:
    return load_project(project).database


def lived_in(project: Path, days_ago: float = 0) -> SqliteRecord:
    record = open_record(database(project))
    for number in range(30):
        heal_one(record, time.time() - days_ago * DAY, f"web{number}")
    return record


def test_a_project_without_a_record_is_told_so(project: Path) -> None:
    """No verb makes an empty record where none was."""
    for verb in (["migrate"], ["check"], ["stats"], ["prune"], ["vacuum"], ["backup", "x.db"]):
        done = selfheal("db", *verb, "-p", project)
        assert (done.returncode, "no record at" in done.stderr) == (1, True)
    assert not database(project).exists()


def test_migrate_tells_from_where_to_where(project: Path) -> None:
    """An old file is brought up, once; with an engine at work it is left as it is."""
    with mock.patch("selfheal.store.migrations.MIGRATIONS", MIGRATIONS[:4]):
        open_record(database(project)).close()
    with engine_lock(load_project(project).state):
        refused = selfheal("db", "migrate", "-p", project)
    assert refused.returncode == 1
    assert "stop it before migrating" in refused.stderr
    newest = len(MIGRATIONS)
    first = data_of("db", "migrate", "-p", project)
    assert (first["from"], first["to"]) == (4, newest)
    assert first["steps"] == [step.__name__ for step in MIGRATIONS[4:]]
    with engine_lock(load_project(project).state):
        assert data_of("db", "migrate", "-p", project) == {
            "from": newest,
            "to": newest,
            "steps": [],
        }


def test_backup_is_made_beside_a_running_engine(project: Path, tmp_path: Path) -> None:
    """It is complete, checked, and not overwritten by chance."""
    record = lived_in(project)
    with engine_lock(load_project(project).state):
        made = data_of("db", "backup", tmp_path / "b.db", "-p", project)
        again = selfheal("db", "backup", tmp_path / "b.db", "-p", project)
        forced = selfheal("db", "backup", tmp_path / "b.db", "--force", "-p", project)
    record.close()
    assert made["checked"] == "ok"
    assert made["bytes"] == (tmp_path / "b.db").stat().st_size
    assert (again.returncode, forced.returncode) == (1, 0)
    copy = open_record(tmp_path / "b.db")
    assert len(copy.healings(limit=100)) == 30
    copy.close()


def test_prune_tells_first_and_then_does(project: Path) -> None:
    """The dry run counts by noun and leaves all; the real one makes just that go."""
    record = lived_in(project, days_ago=200)
    record.tell(Kind.ENGINE, "newest")
    record.close()
    told = data_of("db", "prune", "--dry-run", "-p", project)
    assert {"noun": "incidents", "count": 30} in told
    done = {row["noun"]: row["count"] for row in data_of("db", "prune", "-p", project)}
    # Single tasks went before their incident would have taken them along.
    assert done == {row["noun"]: row["count"] for row in told}
    assert data_of("db", "prune", "-p", project) == []


def test_vacuum_teaches_an_old_file_to_shrink(project: Path) -> None:
    """A file without incremental vacuum gets it; refused while an engine runs."""
    record = lived_in(project)
    record.db.execute("PRAGMA auto_vacuum = NONE")
    record.db.execute("VACUUM")
    record.close()
    with engine_lock(load_project(project).state):
        assert selfheal("db", "vacuum", "-p", project).returncode == 1
    assert data_of("db", "vacuum", "-p", project)["bytes"] > 0
    with sqlite3.connect(database(project)) as raw:
        (mode,) = raw.execute("PRAGMA auto_vacuum").fetchone()
    raw.close()
    assert mode == 2


def test_check_finds_nothing_in_a_sound_record(project: Path) -> None:
    """Exit code 0 and nothing on stdout."""
    lived_in(project).close()
    done = selfheal("db", "check", "-p", project)
    assert (done.returncode, done.stdout) == (0, "")
    assert data_of("db", "check", "-p", project) == {"ok": True, "findings": []}


def test_check_names_each_contradiction(project: Path) -> None:
    """What must never be true is found when it is made true by force."""
    record = lived_in(project)
    over = a_healing(resource="web-over")
    record.add_healing(over)
    record.start_healing(over.id, 1.0)
    attempt = an_attempt(over)
    record.add_attempt(attempt)
    step = a_step(attempt)
    record.add_step(step)
    lost = a_healing(fault_id="ft-lost", resource="web-lost")
    record.add_healing(lost)
    db = record.db
    db.execute("UPDATE healings SET state = 'done', outcome = 'healed' WHERE id = ?", (over.id,))
    db.execute("INSERT OR REPLACE INTO locks VALUES ('host:x', ?, 'me', 1.0, 2.0)", (over.id,))
    record.add_notification(Notification("no-1", 1.0, "s", "b"), ["chat"])
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("DELETE FROM notifications")
    record.close()
    orphan = load_project(project).state / "runner" / "artifacts" / "st-orphan"
    orphan.mkdir(parents=True)
    os.utime(orphan, (1.0, 1.0))
    (orphan.parent / "st-facts-just-gathered").mkdir()
    done = selfheal("db", "check", "-p", project)
    assert done.returncode == 1
    for line in (
        f"healing {lost.id} is open, but its fault ft-lost is not on record",
        f"healing {over.id} is over, but holds the lock on host:x",
        f"step {step.ident} counts as running, but its healing {over.id} is over",
        f"attempt {attempt.id} has no outcome, but its healing {over.id} is over",
        "belongs to no row of notifications",
        "artifacts st-orphan belong to no run on record",
    ):
        assert line in done.stdout
    assert "just-gathered" not in done.stdout


def test_check_names_the_damaged_table(project: Path) -> None:
    """Damage is told by table, with exit code 1."""
    lived_in(project).close()
    overwrite(database(project), *pages_of(database(project), "healings"))
    done = selfheal("db", "check", "-p", project)
    assert done.returncode == 1
    assert "healings (" in done.stdout + done.stderr


def test_stats_count_rows_and_bytes(project: Path) -> None:
    """Each table with its rows and bytes; the indexes count with their table."""
    lived_in(project).close()
    sizes = {row["table"]: row for row in data_of("db", "stats", "-p", project)}
    assert sizes["healings"]["rows"] == 30
    assert sizes["healings"]["bytes"] is None or sizes["healings"]["bytes"] > 4096
