"""Grouped writes: all of them or none."""

import contextlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from selfheal.errors import NotFoundError, StoreError
from selfheal.model import IncidentState, Kind
from selfheal.store import SqliteRecord, open_record
from tests.store.nouns import a_fault


class Abort(Exception):
    """Raised to leave a block early."""


def texts(record: SqliteRecord) -> list[str]:
    return [entry.text for entry in record.entries()]


def test_a_block_that_raises_leaves_nothing(record: SqliteRecord) -> None:
    """The fault, its incident and its story come together or not at all."""
    fault = a_fault()

    def block() -> None:
        with record.transaction():
            record.open_fault(fault)
            record.tell(Kind.FAULT, "opened")
            raise Abort

    with pytest.raises(Abort):
        block()
    assert texts(record) == []
    assert record.incidents() == []
    with pytest.raises(NotFoundError):
        record.fault(fault.id)


def test_an_inner_block_is_undone_alone(record: SqliteRecord) -> None:
    """A caller that handles an inner failure keeps what it wrote itself."""
    with record.transaction():
        record.tell(Kind.ENGINE, "outer")
        with contextlib.suppress(Abort), record.transaction():
            record.tell(Kind.ENGINE, "inner")
            raise Abort
        record.tell(Kind.ENGINE, "after")
    assert texts(record) == ["outer", "after"]


def test_a_refused_write_does_not_spoil_the_block(record: SqliteRecord) -> None:
    """After an error of one method the block can go on and commit."""
    with record.transaction():
        record.tell(Kind.ENGINE, "before")
        with pytest.raises(NotFoundError):
            record.set_incident_state("in-none", IncidentState.OPEN, 1.0)
        record.tell(Kind.ENGINE, "after")
    assert texts(record) == ["before", "after"]


def test_nobody_sees_half_a_block(file: Path) -> None:
    """Another process reads the state before the block until the block has ended."""
    writer, reader = open_record(file), open_record(file)
    with writer.transaction():
        writer.tell(Kind.ENGINE, "one")
        assert texts(reader) == []
    assert texts(reader) == ["one"]
    writer.close()
    reader.close()


def test_threads_take_turns(file: Path) -> None:
    """Several threads may use one record; none of their blocks mix."""
    record = open_record(file)

    def work(name: str) -> None:
        for _ in range(20):
            with record.transaction():
                record.tell(Kind.ENGINE, name)
                record.tell(Kind.ENGINE, name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = texts(record)
    record.close()
    assert len(told) == 160
    assert all(first == second for first, second in zip(told[::2], told[1::2], strict=True))


def test_a_held_lock_is_an_error_with_a_reason(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that waits too long for another process says so and has written nothing."""
    monkeypatch.setattr("selfheal.store.record.PATIENCE", 0.05)
    holder, waiter = open_record(file), open_record(file)
    with holder.transaction():
        holder.tell(Kind.ENGINE, "held")
        with pytest.raises(StoreError, match="another process holds it"):
            waiter.tell(Kind.ENGINE, "waiting")
    waiter.tell(Kind.ENGINE, "now")
    assert texts(holder) == ["held", "now"]
    holder.close()
    waiter.close()


def test_what_need_not_be_durable_is_there_after_a_kill(tmp_path: Path) -> None:
    """A block that does not ask for a sync is seen by others at once and outlives its process."""
    path = tmp_path / "selfheal.db"
    code = (
        "import os\n"
        "from selfheal.model import Kind\n"
        "from selfheal.store import open_record\n"
        f"record = open_record({str(path)!r})\n"
        "with record.transaction(durable=False):\n"
        "    record.tell(Kind.ENGINE, 'not synced')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    record = open_record(path)
    try:
        assert texts(record) == ["not synced"]
    finally:
        record.close()


def test_only_the_outermost_block_says_whether_it_is_synced(tmp_path: Path) -> None:
    """Durable is the rule: after a block that is not, the next one is again."""
    record = open_record(tmp_path / "selfheal.db")
    levels = []
    for durable in (True, False, True):
        with record.transaction(durable=durable), record.transaction():
            levels.append(record.db.execute("PRAGMA synchronous").fetchone()[0])
    record.close()
    assert levels == [2, 1, 2]  # FULL, NORMAL, FULL
