"""A record on disk, on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.clock import ManualClock
from selfheal.store import SqliteRecord, open_record


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_000_000.0)


@pytest.fixture
def record(tmp_path: Path, clock: ManualClock) -> Iterator[SqliteRecord]:
    opened = open_record(tmp_path / "record.db", clock)
    yield opened
    opened.close()
