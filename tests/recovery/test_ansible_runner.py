"""AnsibleRunner on the real ansible-runner and ansible-core."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from selfheal.clock import ManualClock
from selfheal.errors import ExecutionError
from selfheal.model import PlaybookRequest, StepState, TaskResult
from selfheal.recovery.executors import AnsibleRunner
from selfheal.recovery.executors.command import RunFolder
from selfheal.recovery.executors.processes import processes_of
from tests.servers.base import require

from .helpers import alive, eventually

if not os.environ.get("CI"):  # in CI its absence is a failure
    pytest.importorskip("ansible", reason="ansible-core is not installed")

INVENTORY = "web1 ansible_connection=local\nweb2 ansible_connection=local\n[idle]\nweb2\n"


class Project:
    """A small Ansible project in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state"
        (root / "playbooks").mkdir()
        (root / "inventory").write_text(INVENTORY)

    def playbook(self, tasks: str, *, hosts: str = "web1", name: str = "test.yml") -> str:
        """Write a playbook of these tasks (YAML, not indented); return its name."""
        body = "".join(f"    {line}\n" for line in tasks.strip("\n").splitlines())
        text = f"- hosts: {hosts}\n  gather_facts: false\n  tasks:\n{body}"
        (self.root / "playbooks" / name).write_text(text)
        return name

    def runner(self, **kwargs: Any) -> AnsibleRunner:
        return AnsibleRunner(self.root, self.state, **kwargs)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def artifacts(project: Project) -> Callable[[str], Path]:
    return lambda ident: project.state / "runner" / "artifacts" / ident


MANY_TASKS = """
- name: say
  command: echo hello
- name: quiet
  command: echo s3cret
  no_log: true
- name: loop
  command: "test {{ item }} = a"
  loop: [a, b]
  ignore_errors: true
- name: quiet loop
  command: "echo s3cret-{{ item }}"
  loop: [a]
  no_log: true
- set_fact: {colour: green, size: 3}
- name: not today
  command: nope
  when: false
- name: far away
  ping:
  vars: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}
"""


async def test_every_kind_of_task_is_told_as_what_it_was(
    project: Project, artifacts: Callable[[str], Path]
) -> None:
    """Changed, hidden, looped, ignored, skipped and unreachable tasks reach the loop in order."""
    told: list[TaskResult] = []
    runner = project.runner()
    result = await runner.run(
        PlaybookRequest("st-1", project.playbook(MANY_TASKS)), on_task=told.append
    )
    assert [(task.task, task.status) for task in told] == [
        ("say", "changed"),
        ("quiet", "changed"),
        ("loop", "ignored"),
        ("quiet loop", "changed"),
        ("set_fact", "ok"),
        ("not today", "skipped"),
        ("far away", "unreachable"),
    ]
    say, quiet, loop, quiet_loop, *_, far = told
    assert say.module == "ansible.builtin.command"
    assert say.host == "web1"
    assert say.result["stdout"] == "hello"
    assert say.duration > 0
    assert quiet.result == {}
    assert "s3cret" not in repr(quiet_loop)
    assert loop.message == "item 'b': non-zero return code"
    assert "port 1" in far.message
    assert (result.state, result.rc) == (StepState.FAILED, 4)
    assert result.message.startswith("web1: task 'far away' unreachable:")
    assert result.facts == {"colour": "green", "size": 3}
    assert result.stats["web1"]["dark"] == 1
    assert result.tasks == tuple(told)


async def test_the_artifact_of_a_run_tells_the_same_story(project: Project) -> None:
    """find_artifact reads a finished run back: state, rc, tasks, facts; an unknown one is None."""
    name = project.playbook("- command: echo hi\n- set_fact: {colour: green}\n- fail: {msg: boom}")
    result = await project.runner().run(PlaybookRequest("st-2", name))
    found = project.runner().find_artifact("st-2")
    assert found is not None
    assert (found.state, found.rc, found.message) == (result.state, result.rc, result.message)
    assert (found.tasks, found.stats, found.facts) == (result.tasks, result.stats, result.facts)
    assert found.started_at <= found.ended_at
    assert project.runner().find_artifact("st-3") is None


async def test_an_artifact_without_an_end_is_no_result(
    project: Project, artifacts: Callable[[str], Path]
) -> None:
    """A folder whose run never wrote its rc proves nothing."""
    folder = artifacts("st-1")
    (folder / "job_events").mkdir(parents=True)
    (folder / "status").write_text("successful")
    assert project.runner().find_artifact("st-1") is None


async def test_event_data_is_never_a_template(project: Project, tmp_path: Path) -> None:
    """A hostile value is passed on letter for letter; Ansible does not evaluate it."""
    evil = "{{ lookup('pipe', 'touch " + str(tmp_path / "pwned") + "') }}"
    name = project.playbook(
        """
- set_fact: {seen: "{{ target }}", deep: "{{ fault.labels.x }}"}
- debug: {msg: "{{ target }} {{ fault.labels.x }}"}
"""
    )
    variables = {"target": evil, "fault": {"labels": {"x": [evil, 3, None, True]}}}
    result = await project.runner().run(PlaybookRequest("st-1", name, variables))
    assert result.state is StepState.SUCCESSFUL, result.message
    assert not (tmp_path / "pwned").exists()
    assert result.facts == {"seen": evil, "deep": [evil, 3, None, True]}


async def test_secrets_are_on_no_command_line_and_gone_after_the_run(
    project: Project, artifacts: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables travel in a private file that is removed; our environment is not passed on."""
    monkeypatch.setenv("OUR_TOKEN", "t0ken")
    secret = uuid4().hex
    pattern = f"{secret[:9]}[{secret[9]}]{secret[10:]}"  # which grep's own line does not match
    name = project.playbook(
        f"""
- shell: |
    cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c "{pattern}"; env | grep -c OUR_TOKEN
  register: seen
  failed_when: false
- shell: "stat -c %a {{{{ artifacts }}}}/extra-vars.yml"
  register: mode
- set_fact: {{counts: "{{{{ seen.stdout_lines }}}}", mode: "{{{{ mode.stdout }}}}"}}
"""
    )
    variables = {"password": secret, "artifacts": str(artifacts("st-1"))}
    result = await project.runner().run(PlaybookRequest("st-1", name, variables))
    assert result.state is StepState.SUCCESSFUL, result.message
    assert result.facts == {"counts": ["0", "0"], "mode": "600"}
    left = "".join(p.read_text() for p in artifacts("st-1").rglob("*") if p.is_file())
    assert secret not in left
    assert "t0ken" not in left
    assert stat.S_IMODE(artifacts("st-1").stat().st_mode) == 0o700


async def test_ansible_cfg_is_honoured_and_local_modules_run_on_our_python(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The project's roles and host key checking stand; a broken python3 on PATH does no harm."""
    (tmp_path / "bin").mkdir()
    for name in ("python3", "python3.13", "python3.12", "python3.11", "python"):
        shim = tmp_path / "bin" / name
        shim.write_text("#!/bin/sh\necho broken shim >&2\nexit 127\n")
        shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (project.root / "ansible.cfg").write_text("[defaults]\nroles_path = my-roles\n")
    role = project.root / "my-roles" / "greet" / "tasks"
    role.mkdir(parents=True)
    (role / "main.yml").write_text("- command: echo from the role\n")
    name = project.playbook(
        """
- import_role: {name: greet}
- set_fact:
    checking: "{{ lookup('config', 'HOST_KEY_CHECKING') }}"
    colour: "{{ lookup('config', 'ANSIBLE_FORCE_COLOR') }}"
"""
    )
    result = await project.runner().run(PlaybookRequest("st-1", name))
    assert result.state is StepState.SUCCESSFUL, result.message
    assert result.facts == {"checking": True, "colour": False}
    assert "\x1b[" not in (project.state / "runner/artifacts/st-1/stdout").read_text()


async def test_a_playbook_that_touches_no_host_has_failed(project: Project) -> None:
    """Ansible's rc 0 for `no hosts matched` and for an empty play is no success here."""
    project.playbook("- command: echo hi", hosts="nowhere", name="nowhere.yml")
    project.playbook("- command: echo hi", hosts="web1", name="web1.yml")
    (project.root / "playbooks" / "empty.yml").write_text("- hosts: web1\n  gather_facts: false\n")
    runner = project.runner()
    asked = [
        PlaybookRequest("st-1", "nowhere.yml"),
        PlaybookRequest("st-2", "web1.yml", limit="web2"),
        PlaybookRequest("st-3", "empty.yml"),
        PlaybookRequest("st-4", "web1.yml", limit="nobody"),
    ]
    results = await asyncio.gather(*(runner.run(request) for request in asked))
    assert [result.state for result in results] == [StepState.FAILED] * 4
    nowhere, elsewhere, empty, unknown = (result.message for result in results)
    assert nowhere == "no host matched: hosts 'nowhere'; nothing was done"
    assert elsewhere == "no host matched: hosts 'web1' within the limit 'web2'; nothing was done"
    assert empty == "the playbook ran no task; nothing was done"
    assert "no hosts to target" in unknown


async def test_a_module_runs_without_a_playbook(project: Project) -> None:
    """An ad-hoc module runs on its hosts; its arguments are no templates."""
    request = PlaybookRequest(
        "st-1",
        "",
        module="ansible.builtin.command",
        module_args="echo {{1+1}}",
        host_pattern="web2",
    )
    result = await project.runner().run(request)
    assert result.state is StepState.SUCCESSFUL, result.message
    (task,) = result.tasks
    assert (task.host, task.result["stdout"]) == ("web2", "{{1+1}}")


async def test_check_and_diff_change_nothing(project: Project, tmp_path: Path) -> None:
    """Check mode tells what would change, diff shows it, and the file is not written."""
    target = tmp_path / "conf"
    name = project.playbook(f"- copy: {{content: new, dest: {target}}}")
    request = PlaybookRequest("st-1", name, check=True, diff=True, verbosity=1)
    result = await project.runner().run(request)
    assert [task.status for task in result.tasks] == ["changed"]
    assert "new" in repr(result.tasks[0].result["diff"])
    assert not target.exists()


async def test_a_broken_playbook_says_what_is_wrong(project: Project) -> None:
    """The message of a playbook that Ansible can't load is Ansible's own error line."""
    (project.root / "playbooks" / "broken.yml").write_text("- hosts: web1\n  taskz: []\n")
    result = await project.runner().run(PlaybookRequest("st-1", "broken.yml"))
    assert result.state is StepState.FAILED
    assert "'taskz' is not a valid attribute" in result.message


async def test_what_cannot_be_started_raises(project: Project) -> None:
    """A missing playbook or inventory names the place where it was looked for."""
    runner = project.runner()
    with pytest.raises(ExecutionError, match=r"playbook 'no.yml' not found: .*/playbooks/no\.yml"):
        await runner.run(PlaybookRequest("st-1", "no.yml"))
    name = project.playbook("- ping:")
    with pytest.raises(ExecutionError, match="inventory 'no' not found"):
        await runner.run(PlaybookRequest("st-2", name, inventory="no"))
    (project.root / "file").write_text("where a folder is needed")
    runner = AnsibleRunner(project.root, project.root / "file")
    with pytest.raises(ExecutionError, match="the run can't be prepared"):
        await runner.run(PlaybookRequest("st-3", name))


async def test_without_ansible_the_error_says_what_to_install(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No ansible-playbook anywhere: one clear error with the extra's name."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ExecutionError, match=r"pip install 'selfheal\[ansible\]'"):
        await project.runner().run(PlaybookRequest("st-1", project.playbook("- ping:")))


HANGING = """
- name: begin
  shell: "sleep 3600 & echo $! > {out}/background; setsid sleep 3600 & echo $! > {out}/session"
  # Ansible waits for the pipe's end, so the two must not hold it.
  args: {{executable: /bin/bash}}
- name: hang
  shell: "trap '' TERM; echo $$ > {out}/stubborn; while :; do sleep 1; done"
"""


@pytest.fixture
def hanging(project: Project, tmp_path: Path) -> str:
    """A playbook that leaves two processes behind and then hangs in one that ignores SIGTERM."""
    text = HANGING.format(out=tmp_path).replace("sleep 3600 &", "sleep 3600 >/dev/null 2>&1 &")
    return project.playbook(text)


def _pid(path: Path) -> int:
    return int(path.read_text() or 0) if path.exists() else 0


async def test_a_hanging_playbook_is_ended_with_everything_it_started(
    project: Project, hanging: str, tmp_path: Path, artifacts: Callable[[str], Path]
) -> None:
    """At the time limit Ansible, its workers, orphans and a TERM-proof shell are all gone."""
    clock = ManualClock()
    runner = project.runner(clock=clock, grace=0.5)
    running = asyncio.create_task(runner.run(PlaybookRequest("st-1", hanging, timeout=60)))
    await eventually(lambda: _pid(tmp_path / "stubborn") > 0)
    pids = [_pid(tmp_path / name) for name in ("background", "session", "stubborn")]
    assert all(alive(pid) for pid in pids)
    await clock.advance(59)
    assert not running.done()
    await clock.advance(1)
    result = await running
    assert (result.state, result.rc) == (StepState.TIMEOUT, None)
    assert result.message == "ended after its time limit of 1m 0s"
    assert [task.task for task in result.tasks] == ["begin"]
    assert not any(alive(pid) for pid in pids)
    assert processes_of(str(artifacts("st-1"))) == set()
    found = runner.find_artifact("st-1")
    assert found is not None
    assert found.state is StepState.TIMEOUT


async def test_a_run_that_another_process_began_meanwhile_is_no_orphan(
    project: Project, hanging: str, tmp_path: Path
) -> None:
    """An engine that starts ends nothing of a run by hand that was not on record when it looked."""
    by_hand, engine = project.runner(grace=0.5), project.runner()
    running = asyncio.create_task(by_hand.run(PlaybookRequest("st-1", hanging)))
    await eventually(lambda: _pid(tmp_path / "stubborn") > 0)
    assert await engine.end_orphans(()) == {}
    assert alive(_pid(tmp_path / "stubborn"))
    await by_hand.cancel("st-1")
    assert (await running).state is StepState.CANCELLED


async def test_cancel_ends_the_run(
    project: Project, hanging: str, tmp_path: Path, artifacts: Callable[[str], Path]
) -> None:
    """cancel() makes run() return CANCELLED with no process left; an unknown run answers False."""
    runner = project.runner(grace=0.5)
    running = asyncio.create_task(runner.run(PlaybookRequest("st-1", hanging)))
    await eventually(lambda: _pid(tmp_path / "stubborn") > 0)
    assert await runner.cancel("st-1")
    result = await running
    assert (result.state, result.message) == (StepState.CANCELLED, "cancelled")
    assert processes_of(str(artifacts("st-1"))) == set()
    assert not await runner.cancel("st-1")


async def test_cancelling_the_task_ends_the_run_first(
    project: Project, hanging: str, tmp_path: Path, artifacts: Callable[[str], Path]
) -> None:
    """CancelledError is passed on only when no process of the run is left."""
    runner = project.runner(grace=0.5)
    running = asyncio.create_task(runner.run(PlaybookRequest("st-1", hanging)))
    await eventually(lambda: _pid(tmp_path / "stubborn") > 0)
    running.cancel()
    await asyncio.sleep(0)
    running.cancel()  # an impatient caller changes nothing
    with pytest.raises(asyncio.CancelledError):
        await running
    assert processes_of(str(artifacts("st-1"))) == set()


async def test_cancel_before_ansible_has_started(
    project: Project, artifacts: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is cancelled while it is prepared was never started: nothing is to be undone."""
    prepare, cancelled = RunFolder.prepare, threading.Event()

    def prepare_late(folder: RunFolder, *args: Any) -> Any:
        prepared = prepare(folder, *args)
        assert cancelled.wait(20)
        return prepared

    monkeypatch.setattr(RunFolder, "prepare", prepare_late)
    runner = project.runner(grace=0.5)
    name = project.playbook("- command: sleep 3600")
    running = asyncio.create_task(runner.run(PlaybookRequest("st-1", name)))
    await asyncio.sleep(0)
    assert await runner.cancel("st-1")
    cancelled.set()
    with pytest.raises(ExecutionError, match="cancelled before Ansible was started"):
        await running
    assert processes_of(str(artifacts("st-1"))) == set()


ENGINE = """
import asyncio, sys
from pathlib import Path
from selfheal.model import PlaybookRequest
from selfheal.recovery import AnsibleRunner
root = Path(sys.argv[1])
asyncio.run(AnsibleRunner(root, root / "state").run(PlaybookRequest("st-1", sys.argv[2])))
"""


async def test_a_killed_engine_takes_its_playbooks_along(
    project: Project, tmp_path: Path, artifacts: Callable[[str], Path]
) -> None:
    """After kill -9 of the engine Ansible ends by itself, and the artifact shows no end."""
    require("setpriv")
    name = project.playbook(f"- shell: echo $$ > {tmp_path}/pid; exec sleep 3600")
    engine = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ENGINE, str(project.root), name
    )
    await eventually(lambda: _pid(tmp_path / "pid") > 0)
    engine.kill()
    await engine.wait()
    await eventually(lambda: not processes_of(str(artifacts("st-1"))))
    assert not alive(_pid(tmp_path / "pid"))
    assert project.runner().find_artifact("st-1") is None


async def test_hosts_of_the_inventory(project: Project) -> None:
    """Host names without the groups' names; a changed file is read again."""
    runner = project.runner()
    assert await runner.hosts() == {"web1", "web2"}
    assert await runner.hosts("a,b,") == {"a", "b"}
    (project.root / "inventory").write_text("only\n")
    assert await runner.hosts() == {"only"}
    with pytest.raises(ExecutionError, match="inventory 'gone' not found"):
        await runner.hosts("gone")


SILENT = '#!/bin/sh\necho \'{"_meta": {"hostvars": {}}}\'\n'
BROKEN = "#!/bin/sh\nexit 1\n"


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"cloud.sh": SILENT}, "names no host"),
        ({"cloud.sh": BROKEN}, "Completely failed to parse"),
        ({"cloud.sh": BROKEN, "hosts": "web1\n"}, "Completely failed to parse"),
        ({"hosts": "# none yet\n"}, "names no host"),
        ({}, "can't read"),
    ],
)
async def test_an_inventory_without_hosts_is_an_error(
    project: Project, files: dict[str, str], why: str
) -> None:
    """What is there and tells nobody's name, in whole or in part, is never `no inventory`; once
    it does, it is believed."""
    place = project.root / "inventory"
    place.unlink()
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text)
        (place / name).chmod(0o755 if name.endswith(".sh") else 0o644)
    runner = project.runner()
    for ask in (runner.hosts, runner.groups, runner.hosts):
        with pytest.raises(ExecutionError, match=why):
            await ask()
    (place / "cloud.sh").unlink(missing_ok=True)
    (place / "hosts").write_text("web1\n")
    assert await runner.hosts() == {"web1"}


async def test_only_an_inventory_that_nobody_names_may_be_missing(project: Project) -> None:
    """Named and gone (a disk that is not mounted) is an error; else there is none."""
    (project.root / "inventory").unlink()
    assert await project.runner().hosts() == frozenset()
    required = AnsibleRunner(project.root, project.root / "state", inventory_required=True)
    with pytest.raises(ExecutionError, match="named and not there"):
        await required.hosts()


GROUPS = """
[web]
web1 ansible_connection=local
web2 ansible_connection=local
[lb]
lb1 ansible_connection=local
[front:children]
web
lb
"""


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("all", ("lb1", "web1", "web2")),
        ("front", ("lb1", "web1", "web2")),
        ("web2,lb", ("lb1", "web2")),
        ("web*", ("web1", "web2")),
        ("front:!web", ("lb1",)),
        ("web[0]", ("web1",)),
        ("front:&lb", ("lb1",)),
        ("nobody", ()),
    ],
)
async def test_a_pattern_means_what_ansible_says(
    project: Project, pattern: str, hosts: tuple[str, ...]
) -> None:
    """Names and groups are known; anything else is asked of Ansible itself."""
    (project.root / "inventory").write_text(GROUPS)
    assert await project.runner().hosts_of(pattern) == hosts


async def test_groups_of_the_inventory(project: Project) -> None:
    """Each group with the hosts of its children; who asks at the same time asks once."""
    (project.root / "inventory").write_text(GROUPS)
    runner = project.runner()
    first, second = await asyncio.gather(runner.groups(), runner.groups())
    assert first is second
    assert first == {
        "web": {"web1", "web2"}, "lb": {"lb1"}, "front": {"lb1", "web1", "web2"},
    }  # fmt: skip
    assert await runner.hosts_of("web", "a,b") == ()
    assert await runner.hosts_of("a", "a,b") == ("a",)


async def test_a_run_that_was_killed_shows_no_end(
    project: Project, tmp_path: Path, artifacts: Callable[[str], Path]
) -> None:
    """Ansible killed under a living engine has failed; to the next engine the end is unknown."""
    name = project.playbook(f"- shell: echo $$ > {tmp_path}/pid; exec sleep 3600")
    runner = project.runner()
    running = asyncio.create_task(runner.run(PlaybookRequest("st-1", name)))
    await eventually(lambda: _pid(tmp_path / "pid") > 0)
    for pid in processes_of(str(artifacts("st-1"))):
        os.kill(pid, signal.SIGKILL)
    result = await running
    assert (result.state, result.message) == (
        StepState.FAILED,
        "ansible-playbook was killed by a signal",
    )
    assert (artifacts("st-1") / "status").read_text() == "failed"
    assert runner.find_artifact("st-1") is None
