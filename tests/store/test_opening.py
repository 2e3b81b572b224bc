"""Opening the record: private, upgraded, and refused with a reason."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.clock import ManualClock
from selfheal.errors import StoreError
from selfheal.model import Kind
from selfheal.ports import Record
from selfheal.store import open_record
from selfheal.store.migrations import MIGRATIONS


def test_the_record_is_the_port() -> None:
    """The concrete record satisfies the port that stages are written against (checked by mypy)."""
    record: Record = open_record(":memory:")
    record.close()


def test_file_and_folder_are_private(file: Path) -> None:
    """Nobody but the user reads what the engine knows, its write-ahead log included."""
    record = open_record(file)
    record.tell(Kind.ENGINE, "ready")
    modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    record.close()
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert modes["record.db-wal"] == 0o600
    assert set(modes.values()) == {0o600}


def test_an_open_mode_is_closed(file: Path) -> None:
    """A file that was left readable for others is made private at the next start."""
    open_record(file).close()
    file.chmod(0o644)
    open_record(file).close()
    assert file.stat().st_mode & 0o777 == 0o600


def test_opening_a_second_time_keeps_the_first_alive(file: Path) -> None:
    """A second connection of one process does not cut the first off from other processes' writes.

    Closing any descriptor of a file lets go the locks that SQLite holds on it in that process."""
    first = open_record(file)
    open_record(file).close()
    write = "from selfheal.store import open_record; from selfheal.model import Kind; "
    write += f"r = open_record({str(file)!r}); r.tell(Kind.ENGINE, 'from outside'); r.close()"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", write], check=True)
    seen = [entry.text for entry in first.entries()]
    first.close()
    assert seen == ["from outside"] * 2


def test_settings_of_a_durable_file(file: Path) -> None:
    """Write-ahead log, full sync, foreign keys and a busy timeout are on."""
    record = open_record(file)
    settings = [
        next(iter(record.db.query(f"PRAGMA {name}"))).popitem()[1]
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    ]
    record.close()
    assert settings == ["wal", 2, 1, 10_000]


def test_migrations_run_once_and_are_on_record(file: Path) -> None:
    """Each step is applied one time, with its number, name and time."""
    open_record(file, ManualClock(5.0)).close()
    record = open_record(file, ManualClock(9.0))
    rows = list(record.db["migrations"].rows)
    record.close()
    assert [row["name"] for row in rows] == [step.__name__ for step in MIGRATIONS]
    assert [row["number"] for row in rows] == list(range(1, len(MIGRATIONS) + 1))
    assert {row["applied_at"] for row in rows} == {5.0}


def test_a_migration_that_fails_leaves_nothing_behind(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step and its note are one transaction: after a failure the next start runs it whole."""
    open_record(file).close()

    def m999_breaks(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (id)")
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("selfheal.store.migrations.MIGRATIONS", (*MIGRATIONS, m999_breaks))
        with pytest.raises(RuntimeError):
            open_record(file)
    record = open_record(file)
    names = record.db.table_names()
    record.close()
    assert "half" not in names
    assert "faults" in names


def test_an_old_file_is_brought_up_to_date(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the missing steps run on a file of an older version, and its rows stay."""
    with monkeypatch.context() as patch:
        patch.setattr("selfheal.store.migrations.MIGRATIONS", MIGRATIONS[:3])
        old = open_record(file)
        old.tell(Kind.ENGINE, "from before")
        old.close()
    record = open_record(file)
    assert record.solution_records() == []
    assert [entry.text for entry in record.entries()] == ["from before"]
    record.close()


def test_a_newer_file_is_refused(file: Path) -> None:
    """An old program never writes into a format it does not know."""
    record = open_record(file)
    record.db.table("migrations").insert({"number": 999, "name": "m999_future", "applied_at": 1.0})
    record.close()
    with pytest.raises(StoreError, match="newer selfheal"):
        open_record(file)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """A path mistyped to somebody else's database does not get our tables."""
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (id)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        open_record(path)
    assert path.read_bytes() == before


def test_no_database_is_refused(tmp_path: Path) -> None:
    """A file of another kind is named as such and not overwritten."""
    path = tmp_path / "notes.txt"
    path.write_text("shopping list\n" * 500)
    with pytest.raises(StoreError, match="not an SQLite database"):
        open_record(path)
    assert path.read_text().startswith("shopping list")


def test_damage_is_named(file: Path) -> None:
    """A record with garbage in its pages says that it is damaged."""
    record = open_record(file)
    with record.transaction():
        for _ in range(2000):
            record.tell(Kind.ENGINE, "x" * 100)
    record.close()
    with file.open("r+b") as stream:
        stream.seek(4096)
        stream.write(os.urandom(file.stat().st_size - 4096))
    with pytest.raises(StoreError, match="damaged"):
        open_record(file).entries(limit=100_000)


def test_a_full_disk_is_named_and_writes_nothing(file: Path) -> None:
    """When there is no room the block is undone whole, and the record goes on when there is."""
    record = open_record(file)
    pages = next(iter(record.db.query("PRAGMA page_count")))["page_count"]
    record.db.execute(f"PRAGMA max_page_count = {pages + 10}")

    def fill() -> None:
        with record.transaction():
            for _ in range(1000):
                record.tell(Kind.ENGINE, "x" * 1000)

    with pytest.raises(StoreError, match="disk is full"):
        fill()
    assert record.entries() == []
    record.db.execute("PRAGMA max_page_count = 1000000")
    fill()
    assert len(record.entries(limit=2000)) == 1000
    record.close()


@pytest.fixture
def common_folder() -> Iterator[Path]:
    """A folder that another user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


_AS_NOBODY = """
import os, sys
import selfheal.store as store
from selfheal.errors import StoreError
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    store.open_record(sys.argv[1])
except StoreError as error:
    print("StoreError:", error)
"""


def test_a_file_of_another_user_is_refused(common_folder: Path) -> None:
    """What can't be written is said at the start, not at the first fault."""
    path = common_folder / "record.db"
    open_record(path).close()
    path.chmod(0o444)
    if os.getuid() != 0:
        common_folder.chmod(0o555)
    run = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(path)], capture_output=True, text=True, timeout=60
    )
    common_folder.chmod(0o755)
    assert run.returncode == 0, run.stderr
    assert "StoreError:" in run.stdout
    assert "can't be opened: Permission denied" in run.stdout


def test_a_folder_that_cannot_be_made_is_named() -> None:
    """A path below a file gives an error with the path in it."""
    with pytest.raises(StoreError, match=r"/dev/null/record\.db can't be opened"):
        open_record("/dev/null/record.db")


def test_closing_twice_is_harmless(file: Path) -> None:
    """Shutdown paths may meet; use after closing is a StoreError."""
    record = open_record(file)
    record.close()
    record.close()
    with pytest.raises(StoreError):
        record.tell(Kind.ENGINE, "too late")
