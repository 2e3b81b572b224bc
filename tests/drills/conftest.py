"""One web tier for all drills of a worker, green before and after each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmarks.drills import WebTier

from tests.servers import processes_in


@pytest.fixture(scope="session")
def tier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebTier]:
    """The running web tier; afterwards no process may be left of it."""
    folder = tmp_path_factory.mktemp("web-tier")
    with WebTier(folder) as running:
        yield running
    assert processes_in(folder) == []
