"""A world for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .world import World, rails

Build = Callable[..., World]


@pytest.fixture
def build() -> Iterator[Build]:
    """Make a world with only the given rails on."""
    worlds: list[World] = []

    def make(**settings: Any) -> World:
        worlds.append(World(rails(**settings)))
        return worlds[-1]

    yield make
    for world in worlds:
        world.record.close()
