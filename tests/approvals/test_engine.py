"""The whole engine: it asks, waits through a kill, and goes on when somebody answers."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import aiohttp

from selfheal.model import ApprovalState, Outcome
from selfheal.recovery.executors import MemoryRunner
from tests.cli.support import selfheal
from tests.daemon.support import Inside, engine_inside, engine_process, write_project
from tests.servers.base import free_port

from .test_delivery import hook

DISK = {"down": "web1", "cause": "disk-full"}
"""Its only solution, `rebuild`, is of high risk."""


async def asked(engine: Inside) -> str:
    """Open the fault; return the id of the question about it."""
    engine.emit(DISK)
    [approval] = await engine.until(lambda: engine.record.approvals(state="pending"))
    return approval.id


async def ended(engine: Inside) -> Outcome | None:
    await engine.until(lambda: engine.all_healed(1))
    return engine.healings()[0].outcome


async def test_a_yes_by_the_command_line(tmp_path: Path) -> None:
    """Nothing is run before the yes; after it the rung is."""
    folder, runner = write_project(tmp_path), MemoryRunner()
    async with engine_inside(folder, runner) as engine:
        ident = await asked(engine)
        assert runner.requests == []
        assert [lock.resource for lock in engine.record.locks()] == ["host:web1"]
        done = selfheal("approve", ident, "--why", "go on", "-p", folder)
        assert done.returncode == 0, done.stderr
        assert await ended(engine) is Outcome.UNKNOWN  # it has no validation
    assert [request.playbook for request in runner.requests] == ["replace.yml"]


async def test_a_no_by_the_command_line(tmp_path: Path) -> None:
    """Nothing is run, the healing is denied, and its incident is a human's."""
    folder, runner = write_project(tmp_path), MemoryRunner()
    async with engine_inside(folder, runner) as engine:
        selfheal("deny", await asked(engine), "--why", "not now", "-p", folder)
        assert await ended(engine) is Outcome.DENIED
        await engine.until(lambda: [one.value for one in engine.states()] == ["manual"])
    assert runner.requests == []


async def test_nobody_answers(tmp_path: Path) -> None:
    """When the time is over nothing is run."""
    folder, runner = write_project(tmp_path, approval={"expires": "300ms"}), MemoryRunner()
    async with engine_inside(folder, runner) as engine:
        engine.emit(DISK)
        assert await ended(engine) is Outcome.EXPIRED
    assert runner.requests == []


async def test_the_fault_is_over(tmp_path: Path) -> None:
    """The question is withdrawn when the world says that the fault is over."""
    folder, runner = write_project(tmp_path), MemoryRunner()
    async with engine_inside(folder, runner) as engine:
        ident = await asked(engine)
        engine.emit({"up": "web1"})
        await engine.until(lambda: engine.all_healed(1))
        assert engine.record.approval(ident).state is ApprovalState.WITHDRAWN
    assert runner.requests == []


async def test_a_grant_spares_the_question(tmp_path: Path) -> None:
    """What was approved ahead of time is run without anybody being asked."""
    folder, runner = write_project(tmp_path), MemoryRunner()
    async with engine_inside(folder, runner) as engine:
        words = ("--ahead", "rebuild", "--target", "web1", "--why", "patch night")
        assert selfheal("approve", *words, "-p", folder).returncode == 0
        engine.emit(DISK)
        assert await ended(engine) is Outcome.UNKNOWN
        assert not engine.told("approval needed")
    assert len(runner.requests) == 1


async def test_a_yes_by_the_api(tmp_path: Path) -> None:
    """The engine serves the API that its configuration names, and goes on when it is told to."""
    port = free_port()
    api: dict[str, Any] = {"port": port, "users": [{"name": "anna", "token_file": "anna.token"}]}
    folder, runner = write_project(tmp_path, api=api), MemoryRunner()
    (folder / "anna.token").write_text("anna-0123456789abcdef\n")
    async with engine_inside(folder, runner) as engine:
        ident = await asked(engine)
        headers = {"Authorization": "Bearer anna-0123456789abcdef"}
        url = f"http://127.0.0.1:{port}/api/approvals/{ident}"
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.get(url) as answer:
                assert (await answer.json())["state"] == "pending"
            async with session.post(f"{url}/approve", json={"why": "go on"}) as answer:
                assert answer.status == 200
        assert await ended(engine) is Outcome.UNKNOWN
        [answer_given] = engine.record.approval(ident).answers
        assert (answer_given.who, answer_given.why) == ("anna", "go on")
    assert len(runner.requests) == 1


def test_a_killed_engine_still_waits(tmp_path: Path) -> None:
    """After SIGKILL in the middle of the waiting the next engine waits for the same question,
    until the same time, its lock held; people are not told again; a no ends it."""
    folder = write_project(tmp_path)
    with engine_process(folder) as first:
        first.emit(DISK)
        [before] = first.until(lambda: first.record.approvals(state="pending"))
        first.until(lambda: first.told("approval needed"))
        first.send(signal.SIGKILL)
        first.end()
    with engine_process(folder) as second:
        [after] = second.record.approvals()
        assert after == before
        assert [lock.resource for lock in second.record.locks()] == ["host:web1"]
        assert selfheal("deny", before.id, "-p", folder).returncode == 0
        second.until(lambda: second.all_healed(1))
        assert second.healings()[0].outcome is Outcome.DENIED
        story = [line for line in second.texts() if re.search("approval needed: rebuild", line)]
        assert len(story) == 1
        assert second.record.locks() == []


async def test_a_yes_by_a_link(tmp_path: Path) -> None:
    """The message to anna's own webhook has a link; its button lets the healing go on, and no
    story and no outbox says what the link was."""
    port, heard = free_port(), list[dict[str, Any]]()
    chat, url = await hook(heard)
    config: dict[str, Any] = {
        "api": {"port": port},
        "approval": {"approvers": ["anna"]},
        "notify": {"webhooks": [{"url": url, "person": "anna"}]},
    }
    folder, runner = write_project(tmp_path, **config), MemoryRunner()
    async with engine_inside(folder, runner) as engine:
        ident = await asked(engine)
        [message] = await engine.until(lambda: heard)
        link = re.findall(r"approve \(opens a page\): (\S+)", message["body"])[0]
        assert link.startswith(f"http://127.0.0.1:{port}/answer/")
        async with aiohttp.ClientSession() as session:
            async with session.get(link) as page:
                assert "rebuild on web1" in await page.text()
            assert runner.requests == []
            async with session.post(link, data={"why": "go on"}) as page:
                assert "Your answer is on record. It is approved by anna." in await page.text()
        assert await ended(engine) is Outcome.UNKNOWN
        assert engine.record.approval(ident).answers[0].who == "anna"
        token = link.rpartition("/")[2]
        assert token not in str(engine.entries())
        assert token not in str(engine.record.deliveries(limit=100))
    await chat.cleanup()
    assert len(runner.requests) == 1
