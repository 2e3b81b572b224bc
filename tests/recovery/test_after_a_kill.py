"""kill -9 of an engine with a playbook under way, with real processes and real Ansible."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from selfheal.model import Healing, Kind, Outcome, StepKind, StepState, Validation
from selfheal.ports import Record
from selfheal.recovery import AnsibleRunner, SqliteRuntime
from selfheal.recovery.executors.processes import processes_of
from selfheal.store import open_record

from .helpers import alive, eventually
from .nouns import healing_of, solution_of, step_of

if not os.environ.get("CI"):  # in CI its absence is a failure
    pytest.importorskip("ansible", reason="ansible-core is not installed")

# An engine that sees how a playbook ends, and has no time left to write it down.
ENGINE = """
import asyncio, sys
from pathlib import Path
from selfheal.recovery import AnsibleRunner, SqliteRuntime
from selfheal.store import open_record

root = Path(sys.argv[1])

class Speechless(AnsibleRunner):
    async def run(self, request, on_task=None):
        await super().run(request, on_task)
        (root / "ended").touch()
        await asyncio.Event().wait()

async def main():
    runner = Speechless(root, root / "state")
    runtime = SqliteRuntime(open_record(root / "record.db"), runner)
    await runtime.resume()
    await runtime.finished("he-1")

asyncio.run(main())
"""


class Site:
    """A project, its record, and one engine that will be killed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.engine: asyncio.subprocess.Process
        self.runner = AnsibleRunner(root, root / "state", grace=0.5)
        self.record: Record
        (root / "playbooks").mkdir()
        (root / "inventory").write_text("web1 ansible_connection=local\n")
        self.playbook("one.undo.yml", f"echo undone >> {root}/did")

    def playbook(self, name: str, script: str) -> None:
        self.root.joinpath("playbooks", name).write_text(
            f"- hosts: web1\n  gather_facts: false\n  tasks:\n    - shell: |\n        {script}\n"
        )

    @property
    def did(self) -> list[str]:
        """What the playbooks did, in order."""
        path = self.root / "did"
        return path.read_text().split() if path.exists() else []

    async def begin(self, script: str, *, idempotent: bool = False) -> None:
        """Start the engine on a healing whose one step runs `script`."""
        self.playbook("one.yml", script)
        proof = Validation("command", {"argv": ["test", "-e", f"{self.root}/fine"]}, within=0.0)
        step = step_of("one", idempotent=idempotent)
        record = open_record(self.root / "record.db")
        record.add_healing(healing_of(solution_of("one", steps=(step,), validate=(proof,))))
        record.close()
        self.engine = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ENGINE, str(self.root)
        )

    async def has(self, name: str) -> None:
        await eventually((self.root / name).exists)

    async def kill(self) -> None:
        self.engine.kill()
        await self.engine.wait()

    async def go_on(self) -> Healing:
        """Take the healing up in an engine of ours, and carry it to its end."""
        self.record = open_record(self.root / "record.db")
        runtime = SqliteRuntime(self.record, self.runner)
        await runtime.resume()
        healing = await asyncio.wait_for(runtime.finished("he-1"), 60)
        await runtime.drain()
        return healing

    def told(self, kind: Kind) -> list[str]:
        return [entry.text for entry in self.record.entries() if entry.kind is kind]

    def run_processes(self, healing: Healing) -> set[int]:
        ident = healing.attempts[0].steps[0].ident
        return processes_of(str(self.root / "state" / "runner" / "artifacts" / ident))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    yield site
    if site.engine.returncode is None:
        await site.kill()
    for folder in (tmp_path / "state" / "runner" / "artifacts").iterdir():
        await site.runner.end_processes(folder.name)
    site.record.close()


def states(healing: Healing, kind: StepKind = StepKind.STEP) -> list[StepState]:
    return [run.state for run in healing.attempts[0].steps if run.kind is kind]


@pytest.mark.parametrize("rc", [0, 3])
async def test_a_playbook_that_had_ended_is_adopted_and_not_run_again(site: Site, rc: int) -> None:
    """Its end was on disk and not in the record: success goes on, failure is undone."""
    await site.begin(f"echo step >> {site.root}/did; touch {site.root}/fine; exit {rc}")
    await site.has("ended")
    await site.kill()
    healing = await site.go_on()
    if rc:
        assert healing.outcome is Outcome.ROLLED_BACK
        assert states(healing) == [StepState.FAILED]
        assert site.did == ["step", "undone"]
    else:
        assert healing.outcome is Outcome.HEALED
        assert states(healing) == [StepState.SUCCESSFUL]
        assert site.did == ["step"]
    tasks = site.record.tasks(healing.attempts[0].steps[0].ident)
    assert [task.status for task in tasks] == ["failed" if rc else "changed"]
    assert site.record.locks() == []
    [text] = [text for text in site.told(Kind.STEP) if "had ended before" in text]
    assert text.startswith("step 1 (one) had ended before the engine was back")


@pytest.mark.parametrize("helps", [True, False])
async def test_a_playbook_that_had_not_ended_is_gone_and_proven_or_undone(
    site: Site, helps: bool
) -> None:
    """No process of it is left, its step is unknown and not run again; the proof decides."""
    done = f"echo step >> {site.root}/did; echo $$ > {site.root}/pid; touch {site.root}/begun"
    fine = f"touch {site.root}/fine; " if helps else ""
    await site.begin(f"{fine}{done}; exec sleep 3600")
    await site.has("begun")
    await site.kill()
    healing = await site.go_on()
    assert not alive(int((site.root / "pid").read_text()))
    assert site.run_processes(healing) == set()
    assert states(healing) == [StepState.UNKNOWN]
    assert healing.outcome is (Outcome.HEALED if helps else Outcome.ROLLED_BACK)
    assert site.did == (["step"] if helps else ["step", "undone"])


async def test_what_outlives_the_engine_is_ended_first_and_told(site: Site) -> None:
    """A child of the playbook that heeds no SIGTERM is ended before anything goes on."""
    script = (
        f"touch {site.root}/fine; "
        f"setsid sh -c \"trap '' TERM HUP; echo \\$\\$ > {site.root}/pid; touch {site.root}/begun; "
        'while :; do sleep 1; done" >/dev/null 2>&1 </dev/null & sleep 3600'
    )
    await site.begin(script)
    await site.has("begun")
    await site.kill()
    pid = int((site.root / "pid").read_text())
    assert alive(pid), "else this shows nothing"
    healing = await site.go_on()
    assert not alive(pid)
    assert (healing.outcome, states(healing)) == (Outcome.HEALED, [StepState.UNKNOWN])
    assert any("that the dead engine had left running" in text for text in site.told(Kind.STEP))


async def test_an_idempotent_step_is_run_once_more(site: Site) -> None:
    """Its author says that it does no harm."""
    await site.begin(
        f"echo step >> {site.root}/did; touch {site.root}/begun; "
        f"[ $(wc -l < {site.root}/did) -gt 1 ] || exec sleep 3600; touch {site.root}/fine",
        idempotent=True,
    )
    await site.has("begun")
    await site.kill()
    healing = await site.go_on()
    assert healing.outcome is Outcome.HEALED
    assert states(healing) == [StepState.UNKNOWN, StepState.SUCCESSFUL]
    assert site.did == ["step", "step"]


async def test_an_artifact_of_a_killed_run_is_no_failure_of_the_playbook(site: Site) -> None:
    """Ansible and the engine are killed together: ansible-runner still notes `failed`; nobody
    knows how far the playbook came, so the proof decides."""
    await site.begin(
        f"echo step >> {site.root}/did; touch {site.root}/fine {site.root}/begun; exec sleep 3600"
    )
    await site.has("begun")
    record = open_record(site.root / "record.db")
    before = record.healing("he-1")
    record.close()
    for pid in site.run_processes(before):
        os.kill(pid, signal.SIGKILL)
    await site.has("ended")
    await site.kill()
    ident = before.attempts[0].steps[0].ident
    folder = site.root / "state" / "runner" / "artifacts" / ident
    assert (folder / "status").read_text() == "failed", "else this shows nothing"
    healing = await site.go_on()
    assert (healing.outcome, states(healing)) == (Outcome.HEALED, [StepState.UNKNOWN])
    assert site.did == ["step"]


async def test_a_rollback_that_was_cut_off_is_not_begun_again(site: Site) -> None:
    """Half undone is in nobody's hands but a human's."""
    site.playbook(
        "one.undo.yml",
        f"echo undone >> {site.root}/did; touch {site.root}/undoing; exec sleep 3600",
    )
    await site.begin(f"echo step >> {site.root}/did; exit 1")
    await site.has("ended")
    await site.kill()
    first = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ENGINE, str(site.root)
    )  # adopts the failure, and begins to undo it
    site.engine = first
    await site.has("undoing")
    await site.kill()
    healing = await site.go_on()
    assert healing.outcome is Outcome.ROLLBACK_FAILED
    assert states(healing, StepKind.ROLLBACK) == [StepState.UNKNOWN]
    assert site.did == ["step", "undone"]
