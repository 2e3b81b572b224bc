"""The runtime with real Ansible: a rung that does not help is undone, the next one heals."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from selfheal.model import Healing, Kind, Outcome, Solution, Validation
from selfheal.recovery import AnsibleRunner, SqliteRuntime
from selfheal.store import open_record

from .nouns import healing_of, solution_of, step_of

if not os.environ.get("CI"):  # in CI its absence is a failure
    pytest.importorskip("ansible", reason="ansible-core is not installed")

PLAYBOOKS = {
    "add.yml": """
    - file: {path: "{{ selfheal_state }}", state: directory, mode: "0700"}
    - copy: {content: "{{ component }}", dest: "{{ folder }}/added", mode: "0600"}
""",
    "add.undo.yml": """
    - file: {path: "{{ item }}", state: absent}
      loop: ["{{ folder }}/added", "{{ selfheal_state }}"]
""",
    "repair.yml": """
    - copy: {content: fine, dest: "{{ folder }}/health", mode: "0600"}
""",
    "proof.yml": """
    - command: grep -q fine {{ folder }}/health
      changed_when: false
""",
}


def ladder(folder: Path) -> tuple[Solution, ...]:
    """Return a rung that only adds a file, and one that truly repairs."""
    here = {"folder": str(folder)}
    grep = Validation(
        "command", {"argv": f"grep -q fine {folder}/health"}, within=0.5, interval=0.1
    )
    proof = Validation("playbook", {"name": "proof.yml", "vars": here}, timeout=60.0, within=60.0)
    return (
        solution_of("add", steps=(step_of("add", vars=here),), validate=(grep,)),
        solution_of(
            "repair",
            steps=(step_of("repair", vars=here, rollback="", limit="{{ target }}"),),
            validate=(grep, proof),
        ),
    )


async def test_the_second_rung_heals(tmp_path: Path) -> None:
    """Intent, tasks and proofs of both rungs are on record, and the first left no trace."""
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "inventory").write_text("web1 ansible_connection=local\n")
    for name, body in PLAYBOOKS.items():
        text = f"- hosts: web1\n  gather_facts: false\n  tasks:{body}"
        (tmp_path / "playbooks" / name).write_text(text)
    record = open_record(tmp_path / "record.db")
    runner = AnsibleRunner(tmp_path, tmp_path / "state")
    done: list[Healing] = []

    async def note(healing: Healing) -> None:
        done.append(healing)

    runtime = SqliteRuntime(record, runner, on_done=note, known_hosts=runner.hosts)
    await runtime.submit(healing_of(*ladder(tmp_path)))
    healing = await runtime.finished("he-1")
    await runtime.drain()
    story = "\n".join(entry.text for entry in record.entries())
    tasks = [entry.text for entry in record.entries() if entry.kind is Kind.TASK]
    record.close()
    assert healing.outcome is Outcome.HEALED, story
    assert [attempt.outcome for attempt in healing.attempts] == [
        Outcome.ROLLED_BACK,
        Outcome.HEALED,
    ]
    assert not (tmp_path / "added").exists()
    assert len(tasks) == 6  # the proving playbook runs once more at the end of both proofs
    assert "command grep -q fine" in story
    assert done == [healing]
