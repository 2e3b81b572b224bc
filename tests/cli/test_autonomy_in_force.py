"""`autonomy list` beside an engine at work, whose rulebooks are edited."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

from selfheal.model import Autonomy, AutonomyChange, new_id
from tests.daemon.support import RULES, engine_inside, write_project

from .support import data_of

DOWN = "    - name: something is down\n"
COLUMNS = ("written", "now", "after_reload")


async def listed(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Rule to what is written, what holds, and what will."""
    rows = await asyncio.to_thread(data_of, "autonomy", "list", "-p", folder)
    return {row["rule"]: tuple(row[one] for one in COLUMNS) for row in rows}


async def test_what_the_engine_holds_is_shown_beside_what_is_written(tmp_path: Path) -> None:
    """An edit that is not taken up yet, before and after the engine demoted the rule; a rule that
    is new, or gone, on disk only; then a reload."""
    folder = write_project(tmp_path)
    rulebook = folder / "rulebooks" / "shop.yml"
    async with engine_inside(folder) as engine:
        assert await listed(folder) == {"something is down": ("auto", "auto", "")}
        rulebook.write_text(RULES.replace(DOWN, f"{DOWN}      autonomy: suggest\n"))
        assert await listed(folder) == {"something is down": ("suggest", "auto", "suggest")}
        engine.record.change_autonomy(
            AutonomyChange(
                id=new_id("au"),
                ruleset="shop",
                rule="something is down",
                level=Autonomy.APPROVE,
                written=Autonomy.AUTO,
                reason="3 of its last 3 healings failed",
                who="",
                at=time.time(),
            )
        )
        assert await listed(folder) == {"something is down": ("suggest", "approve", "suggest")}
        rulebook.write_text(RULES)
        assert await listed(folder) == {"something is down": ("auto", "approve", "")}
        rulebook.write_text(RULES.replace(DOWN, "    - name: renamed\n"))
        assert await listed(folder) == {
            "renamed": ("auto", "not in force", "auto"),
            "something is down": ("", "approve", "not in force"),
        }
        os.kill(os.getpid(), signal.SIGHUP)
        await engine.until(lambda: engine.told("reloaded: "))
        assert await listed(folder) == {"renamed": ("auto", "auto", "")}
    assert await listed(folder) == {"renamed": ("auto", "auto", "")}, "no engine: what is written"
