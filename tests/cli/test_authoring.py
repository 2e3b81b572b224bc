"""init, lint, doctor: from nothing to an engine that runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from jinja2 import Environment, meta

from tests.daemon.support import (
    RULES,
    engine_process,
    needs_ansible,
    without_ansible_installed,
    write_project,
)
from tests.servers.base import free_port, listens

from .support import data_of, selfheal

GIVEN = {"event", "target", "component", "root_cause", "fault", "vars", "attempt"}
"""What a rulebook's Jinja sees without anybody's doing."""


@pytest.fixture
def started(tmp_path: Path) -> Path:
    """A project as `init` writes it."""
    folder = tmp_path / "project"
    done = selfheal("init", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_init_writes_a_project_that_lints_clean(started: Path) -> None:
    """Configuration, rulebook, playbooks and inventory are there, and nobody finds fault."""
    for name in ("selfheal.yml", "rulebooks/web-tier.yml", "inventory/hosts.yml"):
        assert (started / name).is_file()
    done = selfheal("lint", "--strict", "-p", started)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout
    assert "1 rulebooks checked: 0 errors, 0 warnings" in done.stderr


def test_every_name_in_the_example_has_a_value(started: Path) -> None:
    """What the example's rulebook takes from `vars`, the example's selfheal.yml says."""
    rulebook = yaml.safe_load((started / "rulebooks" / "web-tier.yml").read_text())
    # As JSON it has no comments, which talk of {{ … }}, too.
    text = json.dumps(rulebook).replace('\\"', '"')
    jinja = Environment(autoescape=True)
    jinja.filters["to_json"] = json.dumps
    used = meta.find_undeclared_variables(jinja.parse(text))
    given = yaml.safe_load((started / "selfheal.yml").read_text())["vars"]
    assert used - GIVEN - set(given) == set()


def test_what_init_writes_runs_at_once(started: Path) -> None:
    """The engine starts on it, its source listens, and `status` says that it runs.

    Only the port is another one, since tests run side by side."""
    config, port = started / "selfheal.yml", free_port()
    config.write_text(
        re.sub(r"alertmanager_port: \d+", f"alertmanager_port: {port}", config.read_text())
    )
    with engine_process(started) as engine:
        engine.until(lambda: listens(port))
        status = data_of("status", "-p", started)
        assert status["engine"] == f"running, pid {engine.process.pid}"
        assert status["open_incidents"] == 0
        table = selfheal("status", "-p", started)
        assert f"engine: running, pid {engine.process.pid}" in table.stdout
    assert data_of("status", "-p", started)["engine"] == "not running"


def test_init_overwrites_nothing(started: Path) -> None:
    """A second time it names what is there, and touches nothing."""
    (started / "selfheal.yml").write_text("mine\n")
    (started / "inventory" / "hosts.yml").unlink()
    done = selfheal("init", started)
    assert done.returncode == 2
    assert "there already; nothing written" in done.stderr
    assert (started / "selfheal.yml").read_text() == "mine\n"
    assert not (started / "inventory" / "hosts.yml").exists()


def test_lint_says_where(tmp_path: Path) -> None:
    """Every finding of a file at once, each as file:line:column, with exit code 1."""
    wrong = RULES.replace("event.down is defined", "event.down is is")
    wrong = wrong.replace("resolve: {", "resolv: {").replace("restart.yml,", "nowhere.yml,")
    folder = write_project(tmp_path, wrong)
    done = selfheal("lint", "-p", folder)
    rulebook = f"{folder}/rulebooks/shop.yml"
    found = [line for line in done.stdout.splitlines() if line.startswith(rulebook)]
    assert done.returncode == 1
    assert [line.split(" ")[0].removeprefix(rulebook) for line in found] == [
        ":6:32:",
        ":18:17:",
        ":25:22:",
    ]


def test_lint_refuses_what_the_engine_would(tmp_path: Path) -> None:
    """A source that does not exist, and a variable nobody sets, are findings, too."""
    rules = RULES.replace("  hosts: all\n", "  hosts: all\n  sources: [{crystal_ball: {}}]\n")
    folder = write_project(tmp_path, rules)
    done = selfheal("lint", "-p", folder)
    assert done.returncode == 1
    assert "crystal_ball" in done.stdout
    (folder / "rulebooks" / "shop.yml").write_text(
        RULES.replace("event.down is defined", "event.down == vars.nobody")
    )
    done = selfheal("lint", "-p", folder)
    assert done.returncode == 1
    assert "vars.nobody" in done.stdout


def test_lint_warnings_count_with_strict(tmp_path: Path) -> None:
    """A warning alone is printed and no finding; with --strict it is one."""
    folder = write_project(tmp_path)  # `rebuild` has no validation
    rulebook = folder / "rulebooks" / "shop.yml"
    plain, strict = (
        selfheal("lint", rulebook, "-p", folder),
        selfheal("lint", "--strict", "-p", folder),
    )
    assert "SH102" in plain.stdout
    assert (plain.returncode, strict.returncode) == (0, 1)


def test_doctor_on_a_whole_machine(started: Path) -> None:
    """With Ansible and a project in order nothing is missing, in every form of output."""
    needs_ansible()
    found = {one["check"]: one for one in data_of("doctor", "-p", started)}
    assert {one["result"] for one in found.values()} <= {"ok", "note"}
    assert "ansible-playbook [core" in found["ansible-playbook"]["detail"]
    assert found["rulebooks"]["detail"].startswith("1 files, ")
    assert "ansible-playbook" in selfheal("doctor", "-p", started).stdout


def test_doctor_without_ansible(tmp_path: Path) -> None:
    """It says what to install, and its exit code is 1."""
    install = without_ansible_installed(tmp_path)
    done = selfheal("doctor", "-p", tmp_path, "-o", "json", install=install)
    found = {one["check"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found["ansible-playbook"]["result"] == "missing"
    assert "pip install 'selfheal[ansible]'" in found["ansible-playbook"]["detail"]


def test_doctor_sees_a_broken_ansible_and_a_broken_rulebook(tmp_path: Path) -> None:
    """A program that is there and does not work is as good as missing."""
    install = without_ansible_installed(tmp_path / "install")
    program = tmp_path / "install" / "bin" / "ansible-playbook"
    program.write_text("#!/bin/sh\necho no module named ansible >&2\nexit 1\n")
    program.chmod(0o755)
    folder = write_project(tmp_path / "project", "- name: [")
    done = selfheal("doctor", "-p", folder, "-o", "json", install=install)
    found = {one["check"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 1
    assert "ends with 1: no module named ansible" in found["ansible-playbook"]["detail"]
    assert "broken YAML" in found["rulebooks"]["detail"]
