"""A record in memory and one on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.clock import ManualClock
from selfheal.store import SqliteRecord, open_record


@pytest.fixture
def record() -> Iterator[SqliteRecord]:
    record = open_record(":memory:", ManualClock(1000.0))
    yield record
    record.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "record.db"
