"""Promises every action of the library makes, read from its files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.playbooks.conftest import ROOT, Action

PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
ACTIONS = [path for path in PLAYBOOKS if not path.name.endswith(".rollback.yml")]
MODULES = sorted((ROOT / "playbooks" / "library").glob("*.py"))
EVERYWHERE = {"selfheal_hosts", "selfheal_state"}
# Set by Ansible, by a task of the same file, or by the play itself.
_NOT_VARIABLES = re.compile(r"^(ansible_.*|step_state|omit|lookup|true|false|none)$")


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.stem)
def test_every_action_has_its_rollback(path: Path) -> None:
    """NAME.yml stands beside NAME.rollback.yml."""
    assert path.with_suffix(".rollback.yml").exists()


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_takes_its_hosts_from_the_engine(path: Path) -> None:
    """selfheal_hosts chooses the hosts, and no facts are gathered."""
    (play,) = yaml.safe_load(path.read_text())
    assert play["hosts"] == "{{ selfheal_hosts | default('all') }}"
    assert play["gather_facts"] is False


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_variable_is_described_at_the_top(path: Path) -> None:
    """A variable with a default or in a module's option is named in the header comment."""
    header, _, body = path.read_text().partition("- name:")
    used = set(
        re.findall(r"(?<![.\w])([a-z_]+)\b(?= \| default| is defined| is not defined)", body)
    )
    used |= set(re.findall(r"{{ ([a-z_]+) }}", body))
    own = set(re.findall(r"^\s*register: (\w+)|^    (\w+): \"{{", body, re.M))
    defined = {name for pair in own for name in pair}
    missing = {
        name for name in used - defined if not _NOT_VARIABLES.match(name) and name not in header
    }
    assert missing == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_module_documents_its_options(path: Path) -> None:
    """ansible-doc shows each module, and its options are those the code takes."""
    documented = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-doc")),
            *("--module-path", str(path.parent), "--json", path.stem),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    shown = json.loads(documented.stdout)[path.stem]
    assert shown["examples"]
    assert shown["return"]
    source = path.read_text().partition('RETURN = r"""')[2]
    for shared, file in (("connection", "selfheal_redis"), ("copy", "selfheal_copy")):
        if f"{shared}_arguments" in source:
            source += (ROOT / "playbooks" / "module_utils" / f"{file}.py").read_text()
    taken = set(re.findall(r'"(\w+)": \{\s*"type"', source))
    assert set(shown["doc"]["options"]) == taken


def test_by_hand_the_state_is_kept_in_the_home_directory(tmp_path: Path) -> None:
    """Without the engine an action and its rollback find each other by a documented default."""
    config = tmp_path / "app.conf"
    config.write_text("old\n")
    variables = {"config_path": str(config), "config_content": "new\n"}
    update = Action("update_config", variables, tmp_path / "unused", by_hand=True)
    update.apply()
    kept = tmp_path / ".selfheal" / "by-hand" / "update_config-app.conf"
    assert kept.stat().st_mode & 0o777 == 0o700
    assert (kept / "config.json").stat().st_mode & 0o777 == 0o600
    update.roll_back()
    assert config.read_text() == "old\n"


def test_a_second_run_never_replaces_what_the_first_remembered(tmp_path: Path) -> None:
    """Two different runs of one step, one rollback: the state before the first comes back."""
    config = tmp_path / "app.conf"
    config.write_text("original\n")
    for content in ("one\n", "two\n"):
        variables = {"config_path": str(config), "config_content": content}
        update = Action("update_config", variables, tmp_path / "step")
        update.apply()
    update.roll_back()
    assert config.read_text() == "original\n"


def test_a_state_directory_others_may_write_to_is_refused(tmp_path: Path) -> None:
    """What another user could have put there is never trusted."""
    state = tmp_path / "step"
    state.mkdir()
    state.chmod(0o777)
    config = tmp_path / "app.conf"
    variables = {"config_path": str(config), "config_content": "new\n"}
    assert "not a private directory" in Action("update_config", variables, state).refuse()
    assert not config.exists()
