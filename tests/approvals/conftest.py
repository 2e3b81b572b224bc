from collections.abc import Callable, Iterator

import pytest

from selfheal.clock import ManualClock
from selfheal.config import Approval as Config
from selfheal.store import open_record

from .support import Bench


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    """Makes a bench by what `approval:` in selfheal.yml says."""
    clock = ManualClock()
    record = open_record(":memory:", clock)
    yield lambda **config: Bench(record, clock, Config.model_validate(config))
    record.close()
