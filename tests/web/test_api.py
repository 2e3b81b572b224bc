"""What the API answers to those who are known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfheal.model import ApprovalState, Channel
from tests.approvals.support import Bench
from tests.store.nouns import a_fault, a_step, a_task, an_attempt

from .support import SECRET, site

Make = Callable[..., Bench]


async def test_approving(tmp_path: Path, bench: Make) -> None:
    """A POST with a reason approves as the token's user."""
    made = bench(approvers=["anna"])
    async with site(tmp_path, made) as one, made.asking(made.healing()) as task:
        ident = made.pending().id
        path = f"/api/approvals/{ident}/approve"
        status, data = await one.ask("POST", path, json={"why": "go on"})
        approval = await asyncio.wait_for(task, 5)
        assert (await one.ask("GET", f"/api/approvals/{ident}"))[1]["state"] == "approved"
    assert (status, data["heard"]) == (200, "counted")
    assert approval.state is ApprovalState.APPROVED
    [answer] = approval.answers
    assert (answer.who, answer.why, answer.channel) == ("anna", "go on", Channel.API)


async def test_denying_and_being_too_late(tmp_path: Path, bench: Make) -> None:
    """After a denial the other is told what was decided and by whom."""
    made = bench()
    async with site(tmp_path, made) as one, made.asking(made.healing()) as task:
        path = f"/api/approvals/{made.pending().id}"
        assert (await one.ask("POST", f"{path}/deny"))[0] == 200
        assert (await asyncio.wait_for(task, 5)).state is ApprovalState.DENIED
        status, data = await one.ask("POST", f"{path}/approve", user="ben")
    assert (status, data["error"]) == (409, "decided already: denied by anna")


async def test_who_answers_is_the_tokens_user(tmp_path: Path, bench: Make) -> None:
    """One who is no approver is refused, and a body that names another is refused whole."""
    made = bench(approvers=["anna"])
    async with site(tmp_path, made) as one, made.asking(made.healing()) as task:
        path = f"/api/approvals/{made.pending().id}/approve"
        status, data = await one.ask("POST", path, user="ben")
        assert (status, data["error"]) == (403, "ben is none of the approvers")
        status, data = await one.ask("POST", path, user="ben", json={"who": "anna"})
        assert (status, data["error"]) == (400, "unknown key who; known: why")
        await made.clock.advance(10)
        assert not task.done()
        assert made.pending().answers == ()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "the body is no JSON"),
        (b"[]", "the body is no JSON object"),
        (b"\xff", "the body is no JSON"),
        (b"[" * 50_000, "the body is no JSON"),
        (b'{"why": 1}', "why is a text"),
        (b'{"why": "' + b"x" * 2001 + b'"}', "why is a text"),
    ],
)
async def test_bad_bodies(tmp_path: Path, bench: Make, body: bytes, why: str) -> None:
    """What is no JSON object with a short `why` is refused with the reason."""
    async with site(tmp_path, bench()) as one:
        status, data = await one.ask("POST", "/api/approvals/ap-1/deny", data=body)
    assert status == 400
    assert data["error"].startswith(why)


async def test_looking(tmp_path: Path, bench: Make) -> None:
    """Incidents, runs, approvals, locks and the status, as they are on record."""
    made = bench()
    fault, _ = made.record.open_fault(a_fault())
    healing = made.healing(incident_id=fault.incident_id, fault_id=fault.id)
    attempt = an_attempt(healing)
    step = a_step(attempt)
    made.record.add_attempt(attempt)
    made.record.add_step(step)
    made.record.add_task(step.ident, 0, a_task(), 1.0)
    async with site(tmp_path, made) as one, made.asking(healing):
        answers = {
            path: (await one.ask("GET", f"/api/{path}"))[1]
            for path in (
                "status",
                "incidents",
                f"incidents/{fault.incident_id}",
                "runs?state=queued&limit=5",
                f"runs/{healing.id}",
                "approvals?state=pending",
                "locks",
            )
        }
    status, [incident], whole, [run], full, [approval], locks = answers.values()
    assert status["incidents"] == {"open": 1}
    assert status["healings"] == {"queued": 1}
    assert status["approvals"] == {"pending": 1}
    assert incident["id"] == whole["id"] == fault.incident_id
    assert whole["fault"]["id"] == fault.id
    assert [one["id"] for one in whole["runs"]] == [run["id"]] == [healing.id]
    assert full["tasks"][step.ident][0]["module"] == "ansible.builtin.command"
    assert approval["healing_id"] == healing.id
    assert locks == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/api/runs/he-nobody", 404),
        ("GET", "/api/approvals/ap-nobody", 404),
        ("POST", "/api/approvals/ap-nobody/approve", 404),
        ("DELETE", "/api/status", 405),
        ("GET", "/api/approvals/ap-1/approve", 405),
        ("GET", "/api/runs?limit=0", 400),
        ("GET", "/api/runs?limit=9999999999", 400),
        ("GET", "/api/runs?limit=²", 400),
    ],
)
async def test_errors_are_json(
    tmp_path: Path, bench: Make, method: str, path: str, status: int
) -> None:
    """One who is known is told what is wrong."""
    async with site(tmp_path, bench()) as one:
        got, data = await one.ask(method, path)
    assert (got, list(data)) == (status, ["error"])


async def test_nothing_secret_leaves(tmp_path: Path, bench: Make) -> None:
    """Every text passes through the mask: keys, values, errors."""
    made = bench()
    fault, _ = made.record.open_fault(a_fault(message=f"login with {SECRET}"))
    context: dict[str, Any] = {"target": SECRET, SECRET: [{"deep": SECRET}]}
    healing = made.healing(incident_id=fault.incident_id, context=context)
    async with site(tmp_path, made) as one:
        for path in ("incidents", f"incidents/{fault.incident_id}", f"runs/{healing.id}"):
            answer = str((await one.ask("GET", f"/api/{path}"))[1])
            assert SECRET not in answer
            assert "******" in answer
        error = (await one.ask("GET", f"/api/runs/{SECRET}"))[1]["error"]
        assert SECRET not in error


async def test_half_characters_do_no_harm(tmp_path: Path, bench: Make) -> None:
    """A lone surrogate in an event's data is no reason for an answer or a page to fail."""
    made = bench()
    healing = made.healing(context={"target": "\ud800"})
    async with site(tmp_path, made) as one:
        status, data = await one.ask("GET", f"/api/runs/{healing.id}")
        assert (status, data["context"]) == (200, {"target": "\ud800"})
        body = {"why": "\ud800", "\udfff": 1}
        assert (await one.ask("POST", "/api/approvals/ap-1/deny", json=body))[0] == 400


async def test_pausing_and_resuming(tmp_path: Path, bench: Make) -> None:
    """A pause by the API is the pause of the verb: on record with who and why, and lifted again;
    the engine is woken each time."""
    made = bench()
    async with site(tmp_path, made) as one:
        body = {"what": "solution:restart", "why": "moving the database"}
        status, pause = await one.ask("POST", "/api/pause", json=body)
        assert (status, pause["who"], pause["scope"]) == (200, "anna", "solution")
        assert [found.id for found in made.record.pauses(made.clock.now())] == [pause["id"]]
        body = {"what": "everything"}
        assert (await one.ask("POST", "/api/resume", json=body))[0] == 404
        body = {"what": "solution:restart", "why": "moved"}
        status, data = await one.ask("POST", "/api/resume", user="ben", json=body)
    assert [found["id"] for found in data["lifted"]] == [pause["id"]]
    assert made.record.pauses(made.clock.now()) == []
    told = [entry.text for entry in made.record.entries()]
    assert told == [
        "paused (solution restart) by anna: moving the database",
        "resumed (solution restart) by ben: moved",
    ]
    assert [kind for _, kind, _ in made.record.take()] == ["rails_changed"] * 2


@pytest.mark.parametrize(
    "body",
    [
        {"why": "w"},
        {"what": "", "why": "w"},
        {"what": "rule:", "why": "w"},
        {"what": "rule", "why": "w"},
        {"what": "global:", "why": "w"},
        {"what": 1, "why": "w"},
        {"what": "everything"},
        {"what": "everything", "why": " "},
        {"what": "everything", "why": "w", "who": "ben"},
    ],
)
async def test_a_pause_that_is_not_clear(
    tmp_path: Path, bench: Make, body: dict[str, object]
) -> None:
    """What is paused must be said, and why."""
    made = bench()
    async with site(tmp_path, made) as one:
        assert (await one.ask("POST", "/api/pause", json=body))[0] == 400
    assert made.record.pauses(made.clock.now()) == []
