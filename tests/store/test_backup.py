"""Backups: one moment of the record, taken while others write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from selfheal.errors import StoreError
from selfheal.model import Kind
from selfheal.store import open_record
from selfheal.store.backup import back_up
from tests.store.test_disk_faults import overwrite, pages_of
from tests.store.test_retention import START, heal_one

WRITER = """
import sys
from selfheal.store import open_record
from selfheal.model import Kind
record = open_record(sys.argv[1])
number = 0
while True:
    with record.transaction():
        record.tell(Kind.ENGINE, f"{number} a")
        record.tell(Kind.ENGINE, f"{number} b")
    number += 1
    print(number, flush=True)
"""


def test_a_backup_under_writing_is_whole_and_of_one_moment(file: Path, tmp_path: Path) -> None:
    """While another process writes without a pause, the copy holds whole transactions only,
    everything acknowledged before it began, and is one private file."""
    record = open_record(file)
    with record.transaction():
        for _ in range(3000):
            record.tell(Kind.ENGINE, "x" * 1000)
    record.close()
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout
    try:
        for _ in range(20):
            acknowledged = int(writer.stdout.readline())
        target = tmp_path / "backup.db"
        back_up(file, target)
        # It went on writing meanwhile.
        after = int(writer.stdout.readline())
    finally:
        writer.kill()
        writer.communicate()
    assert [path.name for path in tmp_path.glob("backup*")] == ["backup.db"]
    assert target.stat().st_mode & 0o777 == 0o600
    copy = open_record(target)
    lines = [one.text for one in copy.entries(limit=100_000) if not one.text.startswith("x")]
    assert copy.findings() == []
    copy.close()
    assert lines == [f"{number} {part}" for number in range(len(lines) // 2) for part in "ab"]
    assert len(lines) // 2 >= acknowledged
    assert after > acknowledged


def test_a_backup_overwrites_only_when_told_and_never_the_record(
    file: Path, tmp_path: Path
) -> None:
    """What is there stays, unless forced; a backup onto the record is refused in any case."""
    open_record(file).close()
    target = tmp_path / "backup.db"
    target.write_text("precious")
    with pytest.raises(StoreError, match="see --force"):
        back_up(file, target)
    assert target.read_text() == "precious"
    with pytest.raises(StoreError, match="is the record itself"):
        back_up(file, file, force=True)
    assert back_up(file, target, force=True) == target.stat().st_size > 10_000
    open_record(target).close()


def test_a_damaged_record_gives_no_backup(file: Path, tmp_path: Path) -> None:
    """A copy of damage does not replace the good copy of yesterday."""
    record = open_record(file)
    for number in range(50):
        heal_one(record, START + number, f"web{number}")
    record.close()
    target = tmp_path / "backup.db"
    back_up(file, target)
    before = target.read_bytes()
    overwrite(file, *pages_of(file, "healings"))
    with pytest.raises(StoreError, match="damaged, no backup was made"):
        back_up(file, target, force=True)
    assert target.read_bytes() == before
    assert list(tmp_path.glob("*.partial")) == []


def test_a_backup_without_room_says_so(file: Path) -> None:
    """A target that can't be written is named with its reason."""
    open_record(file).close()
    with pytest.raises(StoreError, match=r"/dev/null/backup\.db was not made: Not a directory"):
        back_up(file, Path("/dev/null/backup.db"))
