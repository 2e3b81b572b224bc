"""Faults of the disk: full, read-only, damaged, held by others. Real ones, no mocks."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.clock import ManualClock
from selfheal.config import Retention
from selfheal.errors import StoreError
from selfheal.model import Kind
from selfheal.store import SqliteRecord, keep_house, open_record
from selfheal.store.connection import Busy, Damaged
from selfheal.store.record import ENGINE_PATIENCE
from tests.store.test_retention import DAY, START, heal_one

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="mounts a file system of its own")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room on the file system."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"x" * 65536)
        except OSError:
            pass
    return ballast


def write_until_refused(record: SqliteRecord) -> int:
    """Return how many lines were acknowledged before the disk was full."""
    for written in range(100_000):
        try:
            record.tell(Kind.ENGINE, f"{written} " + "x" * 1000)
        except StoreError as error:
            if "the disk is full; nothing was written" in str(error):
                return written
            raise
    raise AssertionError("the disk was never full")


@needs_root
def test_a_full_disk_refuses_and_recovers_when_there_is_room(small_disk: Path) -> None:
    """On a full file system each write is refused whole and named; everything acknowledged is
    there; with room again the same connection goes on."""
    record = open_record(small_disk / "record.db")
    ballast = fill(small_disk)
    written = write_until_refused(record)
    with pytest.raises(StoreError, match="disk is full"):
        heal_one(record, START, "web1")
    assert len(record.entries(limit=10_000)) == written, "reading goes on"
    ballast.unlink()
    heal_one(record, START, "web1")
    lines = [entry.text.split()[0] for entry in record.entries(limit=10_000)]
    assert lines == [str(number) for number in range(written)] + ["ended"]
    assert record.findings() == []
    record.close()


LIMITED = """
import resource, sys
from selfheal.store import open_record
from selfheal.model import Kind
record = open_record(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
written = 0
try:
    while True:
        record.tell(Kind.ENGINE, f"{written} " + "x" * 1000)
        written += 1
except Exception as error:
    print(written, type(error).__name__, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
record.tell(Kind.ENGINE, "again")
print(len(record.entries(limit=10_000)))
"""


def test_a_limit_on_file_size_is_as_good_as_a_full_disk(file: Path) -> None:
    """Without root: the kernel refuses the write (RLIMIT_FSIZE); nothing acknowledged is lost."""
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(file)],
        capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    refused, count = run.stdout.splitlines()
    written, kind, *rest = refused.split()
    assert kind == "StoreError"
    assert "nothing was written" in " ".join(rest)
    assert int(count) == int(written) + 1
    assert int(written) > 10


@needs_root
def test_a_read_only_file_system_is_named(small_disk: Path) -> None:
    """A start on a file system that was remounted for errors says that it can't be written, and
    leaves the file as it was."""
    path = small_disk / "record.db"
    record = open_record(path)
    record.tell(Kind.ENGINE, "before")
    record.close()
    before = path.read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreError, match=r"record\.db.* can't be (opened|written)"):
        open_record(path)
    assert path.read_bytes() == before


@pytest.fixture
def lived_in(file: Path) -> Path:
    """A record with a history, closed."""
    record = open_record(file)
    with record.transaction():
        for number in range(200):
            heal_one(record, START + number, f"web{number}")
    record.close()
    return file


def pages_of(file: Path, table: str) -> list[int]:
    """The pages of a table, its root first, so far as they can be told apart by their content."""
    raw = sqlite3.connect(file)
    (root,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    raw.close()
    return [root]


def overwrite(file: Path, page: int, size: int = 4096) -> None:
    """Put other bytes into the middle of a page."""
    with file.open("r+b") as stream:
        stream.seek((page - 1) * size)
        stream.write(b"\x00\xff" * (size // 2))


@pytest.mark.parametrize("table", ["healings", "timeline", "faults"])
def test_a_damaged_page_is_refused_at_the_start_with_its_table(lived_in: Path, table: str) -> None:
    """The engine does not start on a damaged file: the error names file, table and what to do."""
    overwrite(lived_in, *pages_of(lived_in, table))
    with pytest.raises(Damaged) as caught:
        open_record(lived_in, for_engine=True)
    said = str(caught.value)
    assert str(lived_in) in said
    assert f"{table} (" in said
    for advice in ("selfheal db check", "restore a backup", ".recover"):
        assert advice in said


def test_a_damaged_page_is_named_at_the_first_touch(lived_in: Path) -> None:
    """Without a look at the start, the table that is damaged is found when it is read; the
    others are read as ever."""
    overwrite(lived_in, *pages_of(lived_in, "timeline"))
    record = open_record(lived_in)
    assert len(record.healings(limit=10)) == 10
    with pytest.raises(Damaged, match=r"is damaged in timeline \(") as caught:
        record.entries()
    assert "healings (" not in str(caught.value)
    record.close()


async def test_house_keeping_ends_when_it_meets_damage(lived_in: Path, tmp_path: Path) -> None:
    """What fails for now is tried again; damage is raised, for the engine to end by."""
    overwrite(lived_in, *pages_of(lived_in, "timeline"))
    clock = ManualClock(START + 1000 * DAY)
    record = open_record(lived_in, clock)
    house = asyncio.create_task(keep_house(record, tmp_path, Retention(), clock))
    await clock.advance(0)
    await clock.advance(60)
    with pytest.raises(Damaged, match="timeline"):
        await house
    record.close()


def test_a_damaged_header_is_named(lived_in: Path) -> None:
    """When not even the list of tables can be read, that is said."""
    overwrite(lived_in, 1)
    with pytest.raises(StoreError, match=r"not an SQLite database|the list of tables"):
        open_record(lived_in, for_engine=True)


@pytest.fixture
def killed(file: Path, tmp_path: Path) -> Path:
    """A copy of a record whose writer was killed: 50 lines, all in the write-ahead log."""
    record = open_record(file)
    record.checkpoint()
    record.db.execute("PRAGMA wal_autocheckpoint = 0")
    for number in range(50):
        record.tell(Kind.ENGINE, str(number))
    copy = tmp_path / "copy" / "record.db"
    copy.parent.mkdir(mode=0o700)
    for name in ("record.db", "record.db-wal"):
        shutil.copy(file.parent / name, copy.parent / name)
    record.close()
    return copy


def test_a_torn_end_of_the_log_loses_only_what_was_never_acknowledged(killed: Path) -> None:
    """Half a transaction at the end of the write-ahead log is dropped; all 50 lines are there,
    and nothing is said to be lost."""
    log = Path(f"{killed}-wal")
    data = log.read_bytes()
    salts = data[16:24]
    torn = (5).to_bytes(4, "big") + bytes(4) + salts + b"\x01" * 8 + b"y" * 4096
    for tail in (torn, torn[:2000], b"garbage" * 300):
        log.write_bytes(data + tail)
        copy = killed.with_name("again.db")
        shutil.copy(killed, copy)
        shutil.copy(log, f"{copy}-wal")
        record = open_record(copy, for_engine=True)
        texts = [entry.text for entry in record.entries()]
        record.close()
        copy.unlink()
        assert texts == [str(number) for number in range(50)]


def test_a_damaged_middle_of_the_log_is_told_and_kept(killed: Path) -> None:
    """SQLite drops in silence what follows a damaged frame; the engine says how much it was."""
    log = Path(f"{killed}-wal")
    data = bytearray(log.read_bytes())
    middle = 32 + (len(data) - 32) // 4120 // 2 * 4120 + 1000
    data[middle : middle + 4] = b"oops"
    log.write_bytes(data)
    record = open_record(killed, for_engine=True)
    texts = [entry.text for entry in record.entries()]
    told, kept = texts.pop(), Path(f"{log}.damaged")
    record.close()
    assert texts == [str(number) for number in range(len(texts))]
    assert 10 < len(texts) < 40
    assert f"its last {50 - len(texts)} transactions are lost" in told
    assert kept.read_bytes() == bytes(data)
    assert kept.stat().st_mode & 0o077 == 0


def test_a_log_of_an_earlier_round_is_no_damage(file: Path) -> None:
    """What the write-ahead log still holds of before the last checkpoint is nobody's loss."""
    record = open_record(file)
    for number in range(30):
        record.tell(Kind.ENGINE, f"{number} " + "x" * 5000)
    record.checkpoint()
    record.tell(Kind.ENGINE, "written over the start of the log")
    copy = file.with_name("copy.db")
    shutil.copy(file, copy)
    shutil.copy(f"{file}-wal", f"{copy}-wal")
    record.close()
    again = open_record(copy, for_engine=True)
    assert len(again.entries()) == 31
    again.close()


def test_looking_a_large_record_over_takes_a_moment(file: Path) -> None:
    """A start does not read a large file whole: the look is cut short."""
    record = open_record(file)
    with record.transaction():
        for _ in range(40):
            record.tell(Kind.ENGINE, "x" * 1_000_000)
    record.close()
    began = time.monotonic()
    open_record(file, for_engine=True).close()
    assert time.monotonic() - began < 2.0


@pytest.fixture
def holder(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the write lock until it gets a line."""
    open_record(file).close()
    code = (
        "import sqlite3, sys; raw = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "raw.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.readline()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(file)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()


async def test_a_held_record_stalls_the_loop_once_and_for_a_second(
    file: Path, holder: subprocess.Popen[str]
) -> None:
    """While another process holds the file, an engine's first write gives up after a second and
    the next ones at once; when it lets go, the next write goes through and patience is back."""
    record = open_record(file, for_engine=True)
    spent = []
    for _ in range(8):
        began = time.monotonic()
        with pytest.raises(Busy, match="another process holds it"):
            record.tell(Kind.ENGINE, "held up")
        spent.append(time.monotonic() - began)
        await asyncio.sleep(0)
    assert ENGINE_PATIENCE * 0.9 < spent[0] < ENGINE_PATIENCE + 1.0
    assert sorted(spent[1:])[3] < 0.3, "most of the others hardly wait"
    assert record.entries() == [], "reading is never held up"
    assert holder.stdin
    holder.stdin.write("\n")
    holder.stdin.flush()
    holder.wait(10)
    record.tell(Kind.ENGINE, "through")
    [timeout] = record.db.query("PRAGMA busy_timeout")
    assert timeout == {"timeout": int(ENGINE_PATIENCE * 1000)}
    record.close()
