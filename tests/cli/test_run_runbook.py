"""run-runbook: real Ansible on small playbooks."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.cli.answers import os_user
from tests.daemon.support import (
    INSTALL,
    Observer,
    marked_processes,
    needs_ansible,
    without_ansible_installed,
    write_project,
)
from tests.servers.base import await_fact

from .support import data_of, selfheal

RULES = """
- name: shop
  hosts: web1
  solutions:
    - name: repair
      root_cause: web-*
      strategy: quick_fix
      risk: low
      steps:
        - {playbook: restart.yml, rollback: restart.undo.yml, vars: {word: "{{ word }}"}}
        - {playbook: replace.yml, rollback: replace.undo.yml}
      validate:
        - command: {argv: "test -e {{ proof }}"}
          within: 300ms
          interval: 50ms
    - name: dangerous
      root_cause: web-*
      strategy: deep
      risk: high
      steps:
        - {playbook: replace.yml}
      validate:
        - command: {argv: "test -e {{ proof }}"}
          within: 300ms
"""


@pytest.fixture(autouse=True)
def _ansible() -> None:
    needs_ansible()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose playbooks write one line each; the proof is the test's."""
    lines = {
        "restart.yml": "{{ word }}",
        "restart.undo.yml": "undo 1",
        "replace.yml": "two",
        "replace.undo.yml": "undo 2",
    }
    playbooks = {name: write(tmp_path, line) for name, line in lines.items()}
    return write_project(tmp_path, RULES, playbooks, vars={"word": "one"})


def write(folder: Path, line: str, then: str = "true") -> str:
    """Return a task that appends a line to `story` and does something more; honours check mode."""
    return f"shell: echo '{line}' >> {folder}/story && {then}"


def set_task(folder: Path, playbook: str, task: str) -> None:
    """Give a playbook another task."""
    text = f"- hosts: all\n  gather_facts: false\n  tasks:\n    - {task}\n"
    (folder / "playbooks" / playbook).write_text(text)


def story(folder: Path) -> list[str]:
    """Return the lines the playbooks have written."""
    path = folder / "story"
    return path.read_text().splitlines() if path.exists() else []


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `selfheal run-runbook` in the project."""
    return selfheal("run-runbook", *words, cwd=folder)


def test_it_heals(folder: Path) -> None:
    """Steps in order, the proof, exit code 0, and all of it on record as an operator's."""
    (folder / "proof").touch()
    done = run(folder, "repair", "-l", "web1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert story(folder) == ["one", "two"]
    assert "healed: " in done.stderr
    assert "step 1 (restart.yml)" in done.stdout
    [row] = data_of("runs", "list", "-p", folder)
    assert (row["outcome"], row["resource"]) == ("healed", "web1")


def test_dry_run_touches_nothing(folder: Path) -> None:
    """The plan is shown, nothing is run, and not even the record is made."""
    before = sorted(folder.rglob("*"))
    done = run(folder, "repair", "--dry-run", "--from-step", "2")
    assert done.returncode == 0
    assert "step 2: replace.yml" in done.stdout
    assert "step 1" not in done.stdout
    assert "rollback: replace.undo.yml" in done.stdout
    assert "validate: command" in done.stdout
    assert sorted(folder.rglob("*")) == before


def test_check_changes_nothing(folder: Path) -> None:
    """In Ansible's check mode the playbooks run, the world stays, and the exit code is 0."""
    set_task(folder, "restart.yml", f"file: {{path: {folder}/made, state: touch}}")
    done = run(folder, "repair", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "step 2 (replace.yml)" in done.stdout
    assert story(folder) == []
    assert not (folder / "made").exists()


def test_from_step(folder: Path) -> None:
    """What comes before the step is not run."""
    (folder / "proof").touch()
    assert run(folder, "repair", "--from-step", "2").returncode == 0
    assert story(folder) == ["two"]
    done = run(folder, "repair", "--from-step", "3")
    assert done.returncode == 2
    assert "the steps 1 to 2" in done.stderr


def test_extra_variables(folder: Path) -> None:
    """-e takes NAME=VALUE and JSON, the last one wins, and nothing else is understood."""
    (folder / "proof").touch()
    assert run(folder, "repair", "-e", "word=1", "-e", '{"word": "uno"}').returncode == 0
    assert story(folder) == ["uno", "two"]
    for wrong in ("word", "a b=1", "{word", "=1"):
        assert run(folder, "repair", "-e", wrong).returncode == 2


def test_approval(folder: Path) -> None:
    """High risk needs --yes where no terminal can be asked; nothing ran without it."""
    (folder / "proof").touch()
    done = run(folder, "dangerous")
    assert done.returncode == 11
    assert "not run without --yes" in done.stderr
    assert story(folder) == []
    assert run(folder, "dangerous", "--yes").returncode == 0
    assert story(folder) == ["two"]


def test_named_approvers_bind_an_operator(folder: Path) -> None:
    """Where people are named for it --yes is not enough, nor is a reason to override: exit code
    11 and the command that helps; who is one of them, or has their yes from before, runs it."""
    (folder / "proof").touch()
    config = folder / "selfheal.yml"
    approval = {"approval": {"approvers": ["anna", "ben"]}}
    config.write_text(json.dumps(json.loads(config.read_text()) | approval))
    for words in (["--yes"], ["--yes", "--override", "the site is on fire"]):
        done = run(folder, "dangerous", *words)
        assert done.returncode == 11
        assert "one of anna, ben must say yes" in done.stderr
        assert "selfheal approve --ahead dangerous --target dangerous --as anna" in done.stderr
    assert story(folder) == []
    assert run(folder, "dangerous", "--yes", "--check").returncode == 0, "it changes nothing"
    assert run(folder, "repair").returncode == 0, "it is of low risk"
    assert run(folder, "dangerous", "--yes", "--as", "ben").returncode == 0
    words = ["approve", "--ahead", "dangerous", "--as", "anna", "--why", "patch night"]
    assert selfheal(*words, "-p", folder).returncode == 0
    assert run(folder, "dangerous", "--yes").returncode == 0
    assert run(folder, "dangerous", "--yes").returncode == 11, "it was granted once"
    assert story(folder) == ["one", "two", "two", "two"]
    observer = Observer(folder)
    by_ben = next(one for one in observer.healings() if one.options.get("who") == "ben")
    answered = {one.answers[0].who for one in observer.record.approvals()}
    observer.record.close()
    assert by_ben.options["typed_by"] == os_user()
    assert answered == {"anna", "ben"}


def test_unproven_is_rolled_back(folder: Path) -> None:
    """When the proof does not hold both steps are undone, newest first: exit code 12."""
    done = run(folder, "repair")
    assert done.returncode == 12, done.stdout + done.stderr
    assert story(folder) == ["one", "two", "undo 2", "undo 1"]


def test_a_failed_step_is_rolled_back(folder: Path) -> None:
    """A step that fails is undone with those before it: exit code 12."""
    set_task(folder, "replace.yml", write(folder, "two", "false"))
    assert run(folder, "repair").returncode == 12
    assert story(folder) == ["one", "two", "undo 2", "undo 1"]


def test_a_failed_rollback(folder: Path) -> None:
    """When undoing fails a human is needed: exit code 13."""
    set_task(folder, "replace.undo.yml", write(folder, "undo 2", "false"))
    done = run(folder, "repair")
    assert done.returncode == 13
    assert "rollback_failed" in done.stderr


def test_unknown_names(folder: Path) -> None:
    """An unknown solution is told with the known ones; on an unknown host nothing is run."""
    done = run(folder, "prayer")
    assert done.returncode == 2
    assert "there are: dangerous, repair" in done.stderr
    done = run(folder, "repair", "-l", "nowhere")
    assert done.returncode == 10
    assert "no host of the inventory is meant" in done.stderr
    assert story(folder) == []


def paused(folder: Path) -> None:
    """Pause everything, by the verb."""
    assert selfheal("pause", "a test", "-p", str(folder)).returncode == 0


def test_a_rail_binds_an_operator_too(folder: Path) -> None:
    """What is paused is not run by hand either: exit code 10, and the reason."""
    paused(folder)
    done = run(folder, "repair")
    assert done.returncode == 10
    assert "a test" in done.stderr
    assert story(folder) == []


def test_an_operator_may_override_the_rails_and_says_why(folder: Path) -> None:
    """With a reason, which goes on record, no rail binds."""
    paused(folder)
    (folder / "proof").touch()
    assert run(folder, "repair", "--override", " ").returncode == 2
    done = run(folder, "repair", "--override", "the site is on fire")
    assert done.returncode == 0, done.stderr
    assert story(folder) == ["one", "two"]
    observer = Observer(folder)
    [healing] = observer.healings()
    observer.record.close()
    assert healing.options["override"] == "the site is on fire"
    assert healing.options["who"] == os_user()


def test_a_run_that_waits_goes_on_when_the_pause_is_lifted(folder: Path) -> None:
    """`--wait` looks again by itself: no engine is there to tell it."""
    paused(folder)
    (folder / "proof").touch()
    command = [INSTALL.python, "-m", "selfheal.cli", "run-runbook", "repair", "--wait"]
    with subprocess.Popen([*command, "-p", str(folder)], env=INSTALL.env) as waiting:
        observer = Observer(folder)
        await_fact("it waits", lambda: observer.told("waiting"))
        assert selfheal("resume", "-p", str(folder)).returncode == 0
        assert waiting.wait(60) == 0
        observer.record.close()
    assert story(folder) == ["one", "two"]


@pytest.fixture
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """run-runbook in the middle of a second step that takes ten minutes."""
    set_task(folder, "replace.yml", write(folder, "two", "sleep 600"))
    words = [INSTALL.python, "-m", "selfheal.cli", "run-runbook", "repair", "-p", str(folder)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        await_fact("the second step runs", lambda: story(folder) == ["one", "two"], within=60)
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(folder: Path, running: subprocess.Popen[str], number: signal.Signals) -> None:
    """Ctrl-C ends the step with all its processes, undoes what ran, and exits with 130."""
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert story(folder) == ["one", "two", "undo 2", "undo 1"]
    assert marked_processes(folder) == []


def test_killed_the_resource_is_free_again(folder: Path, running: subprocess.Popen[str]) -> None:
    """After kill -9 the next run of the same runbook is not kept waiting by the dead one."""
    running.kill()
    running.wait()
    set_task(folder, "replace.yml", write(folder, "again"))
    (folder / "proof").touch()
    done = run(folder, "repair")
    assert done.returncode == 0, done.stdout + done.stderr
    observer = Observer(folder)
    outcomes = [one.outcome.value for one in observer.healings() if one.outcome]
    observer.record.close()
    assert outcomes == ["unknown", "healed"]


def test_without_ansible(folder: Path, tmp_path: Path) -> None:
    """It fails with what to install, and there is nothing to undo."""
    install = without_ansible_installed(tmp_path / "install")
    done = selfheal("run-runbook", "repair", "-p", folder, install=install)
    assert done.returncode == 10
    assert "pip install 'selfheal[ansible]'" in done.stderr


def test_held_by_another(folder: Path, running: subprocess.Popen[str]) -> None:
    """Who works on the host is named: exit code 10, nothing run; with --wait it is run after."""
    (folder / "proof").touch()
    [holder] = data_of("runs", "list", "-p", folder)
    done = run(folder, "repair", "-l", "web1")
    assert done.returncode == 10, done.stdout + done.stderr
    assert f"is held by {holder['id']} (by hand {running.pid}" in done.stderr
    assert story(folder) == ["one", "two"]
    words = [INSTALL.python, "-m", "selfheal.cli", "run-runbook", "repair", "-p", str(folder)]
    with subprocess.Popen([*words, "-l", "web1", "--wait"], stdout=subprocess.PIPE) as waiting:
        try:
            await_fact(
                "it waits",
                lambda: any(
                    row["state"] == "queued" for row in data_of("runs", "list", "-p", folder)
                ),
                within=60,
            )
            set_task(folder, "replace.yml", write(folder, "again"))
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=60)
            waiting.communicate(timeout=60)
        finally:
            waiting.kill()
    assert waiting.returncode == 0
    assert story(folder)[2:] == ["undo 2", "undo 1", "one", "again"]
