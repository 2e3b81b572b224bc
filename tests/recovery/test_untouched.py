"""A step that reached no host needs no rollback: what tells it, and what the ladder makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfheal.model import Outcome, PlaybookResult, StepState, TaskResult, Validation
from selfheal.recovery import AnsibleRunner, SqliteRuntime
from selfheal.recovery.untouched import changed_nothing
from selfheal.store import open_record

from .nouns import healing_of, solution_of, step_of

REFUSED = "Failed to connect to the host via ssh: ssh: connect to host web1 port 22: refused"


def task_of(status: str, message: str = "", **result: Any) -> TaskResult:
    return TaskResult("web1", "restart it", "command", status, 0.1, message, result)


DEAD = task_of("unreachable", REFUSED)
RUN = PlaybookResult(
    "st-1", StepState.FAILED, 4, 0.0, 1.0, (DEAD,), {"web1": {"dark": 1, "ok": 0, "skipped": 0}}
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tasks": (task_of("skipped"), DEAD)},
        {"tasks": (), "stats": {}},
        {"tasks": (), "stats": {}, "rc": 0},
        {"tasks": (), "stats": {}, "rc": 1, "message": "--limit leaves us with no hosts to target"},
    ],
)
def test_a_run_that_reached_no_host_changed_nothing(changes: dict[str, Any]) -> None:
    """Refused connections, skipped tasks, no host and no task at all leave everything as it was."""
    assert changed_nothing(replace(RUN, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"state": StepState.TIMEOUT},
        {"state": StepState.SUCCESSFUL, "rc": 0, "tasks": ()},
        {"rc": -9, "tasks": (), "stats": {}},
        {"rc": None},
        {"rc": 250, "tasks": (), "stats": {}},
        {"tasks": (task_of("changed"), DEAD)},
        {"tasks": (task_of("unreachable", "Shared connection to web1 closed."),)},
        {"tasks": (task_of("unreachable", REFUSED, results=[{"changed": True}]),)},
        {"tasks": (task_of("unreachable", "hidden by no_log"),)},
        {"stats": {"web1": {"dark": 1}, "web2": {"ok": 1, "changed": 1}}},
    ],
)
def test_in_doubt_something_was_changed(changes: dict[str, Any]) -> None:
    """A task that ran, a connection lost midway, a killed Ansible: the step must be undone."""
    assert not changed_nothing(replace(RUN, **changes))


async def test_an_unreachable_host_leads_to_the_next_rung(tmp_path: Path) -> None:
    """With real Ansible: no rollback on the dead host, the failover rung heals."""
    proof = tmp_path / "proof"
    books = tmp_path / "playbooks"
    books.mkdir()
    (tmp_path / "inventory").write_text(
        "dead ansible_host=127.0.0.1 ansible_port=1\nspare ansible_connection=local\n"
    )
    play = "- hosts: {}\n  gather_facts: false\n  tasks:\n    - command: {}\n"
    (books / "restart.yml").write_text(play.format("dead", "/bin/true"))
    (books / "failover.yml").write_text(play.format("spare", f"touch {proof}"))
    check = Validation("command", {"argv": ["test", "-e", str(proof)]}, within=0.0)
    restart = step_of("restart", rollback="restart.yml")
    ladder = (
        solution_of("restart", steps=(restart,), validate=(check,)),
        solution_of("failover", validate=(check,)),
    )
    record = open_record(":memory:")
    runtime = SqliteRuntime(record, AnsibleRunner(tmp_path, tmp_path / "state"), poll=0.05)
    try:
        await runtime.submit(healing_of(*(replace(rung, hosts=("all",)) for rung in ladder)))
        healing = await runtime.finished("he-1")
    finally:
        await runtime.abort()
        record.close()
    assert healing.outcome is Outcome.HEALED, healing.reason
    assert [attempt.outcome for attempt in healing.attempts] == [Outcome.FAILED, Outcome.HEALED]
    (dead,) = healing.attempts[0].steps
    assert (dead.state, dead.rc) == (StepState.FAILED, None)
    assert "unreachable" in dead.message
