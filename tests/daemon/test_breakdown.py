"""A part of the engine that must never end has ended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from unittest import mock

from selfheal.daemon.ruleset_loop import RulesetLoop
from selfheal.errors import StoreError
from selfheal.model import Kind
from tests.daemon.support import engine_inside, write_project


async def test_an_engine_whose_ruleset_died_ends_in_the_open(tmp_path: Path) -> None:
    """It does not go on deaf: a human is told, and the exit code says that it failed."""
    folder = write_project(tmp_path, drain_timeout=0.2)
    dying = asyncio.Event()

    async def dies(loop: RulesetLoop) -> None:
        await dying.wait()
        raise StoreError("the disk is full")

    with mock.patch.object(RulesetLoop, "_rest", dies):
        async with engine_inside(folder) as engine:
            dying.set()
            code = await asyncio.wait_for(asyncio.shield(engine.task), 20)
            told = engine.texts(Kind.NOTIFICATION)
    assert code == 1
    assert any("the engine can't go on" in text for text in told)
