"""A disk that fills up under a working engine, on a real file system of a few megabytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.model import HealingState, PlaybookRequest, StepKind
from selfheal.recovery.executors import MemoryRunner
from selfheal.recovery.executors.memory import Reply
from tests.daemon.support import RULES, Inside, engine_inside, post, with_source, write_project
from tests.servers.base import free_port
from tests.store.test_disk_faults import fill

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="mounts a file system of its own")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB for the state folder."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def send(url: str, event: dict[str, object]) -> int:
    """Post an event; return the status, 0 while nobody listens yet."""
    with contextlib.suppress(urllib.error.URLError):
        return await asyncio.to_thread(post, url, json.dumps(event).encode())
    return 0


async def send_until(url: str, status: int, acknowledged: list[str], within: float = 20.0) -> None:
    """Post numbered events until one is answered by `status`; note those that were accepted."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        name = f"n{len(acknowledged)}"
        answer = await send(url, {"name": name, "pad": "x" * 20_000})
        if 200 <= answer < 300:
            acknowledged.append(name)
        if answer == status:
            return
    raise AssertionError(f"no answer was {status}")


def has_intent(engine: Inside, request: PlaybookRequest) -> bool:
    steps = [
        step.ident
        for healing in engine.healings()
        for attempt in healing.attempts
        for step in attempt.steps
        if step.kind in (StepKind.STEP, StepKind.ROLLBACK)
    ]
    return request.ident in steps


async def test_a_full_disk_stops_what_is_new_and_loses_nothing(tmp_path: Path, disk: Path) -> None:
    """While the disk is full events are refused (503) and no playbook begins without its intent
    on record; with room again events are accepted, the healing in flight ends, and everything
    acknowledged is in the journal. The engine is not restarted."""
    port = free_port()
    rules = RULES.replace("event.down", "event.payload.down")
    rules = with_source(f"webhook: {{host: 127.0.0.1, port: {port}}}", rules)
    folder = write_project(tmp_path / "project", rules, state=str(disk / "state"))
    runner = MemoryRunner({"restart.yml": Reply(seconds=1.5)}, known_hosts=["web1", "web2"])
    url, acknowledged = f"http://127.0.0.1:{port}/endpoint", []
    async with engine_inside(folder, runner) as engine:
        await send_until(url, 200, acknowledged)
        assert await send(url, {"down": "web1"}) == 200
        await engine.until(lambda: runner.requests)
        ballast = fill(disk)
        await send_until(url, 503, acknowledged)
        assert await send(url, {"down": "web2", "pad": "x" * 20_000}) == 503
        began = len(runner.requests)
        await asyncio.sleep(2.5)  # the playbook ends meanwhile, and its end can't be written
        assert not engine.task.done()
        assert len(runner.requests) == began, "nothing begins that can't be recorded"
        ballast.unlink()
        (folder / "proof").touch()
        await send_until(url, 200, acknowledged)
        assert await send(url, {"down": "web2"}) == 200
        await engine.until(
            lambda: (
                [one.state for one in engine.healings()] == [HealingState.DONE] * 2
                and all(has_intent(engine, request) for request in runner.requests)
            )
        )
        bodies = [
            json.loads(row["body"])
            for row in engine.record.db.query("SELECT body FROM events")  # type: ignore[attr-defined]  # the record of a file has one
        ]
    assert set(acknowledged) <= {body["payload"].get("name") for body in bodies}
