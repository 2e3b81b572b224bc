"""Hostile values through real Ansible, all of them in a few runs: they stay text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfheal.clock import SystemClock
from selfheal.model import PlaybookRequest, StepState
from selfheal.recovery.executors.ansible import AnsibleRunner
from tests.actions.bench import Bench
from tests.daemon.support import needs_ansible
from tests.security.hostile import ANSIBLE_KEYS, MARKER, TEXTS

PLAYBOOK = """
- hosts: all
  gather_facts: false
  vars:
    again: "{{ values }}"
  tasks:
    - set_fact: {kept: "{{ again }}"}
    - debug: {msg: "{{ item }}"}
      loop: "{{ kept | dict2items }}"
      loop_control: {label: ""}
    - command: {argv: [printf, "%s", "{{ kept['command substitution'] }}"]}
      register: printed
    - copy:
        content: "{{ {'kept': kept, 'eda': ansible_eda, 'printed': printed.stdout} | to_json }}"
        dest: "{{ playbook_dir }}/../said.json"
    - assert: {that: [ansible_connection == 'local', ansible_host is not defined or true]}
"""
# One megabyte is bounded elsewhere; NUL and lone carriage returns are kept by JSON as they are.
VALUES = {name: text for name, text in TEXTS.items() if name != "megabyte"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one local host and two more that nothing may run on."""
    needs_ansible()
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "say.yml").write_text(PLAYBOOK)
    lines = "".join(f"{name} ansible_connection=local\n" for name in ("web1", "web2", "db1"))
    (tmp_path / "inventory").write_text(lines)
    return tmp_path


async def test_a_playbook_gets_every_value_as_text(project: Path) -> None:
    """Passed as variables, kept as facts, looped over, printed: no value is a template, a word of
    a shell or a way to connect, and it runs on the named host alone."""
    runner = AnsibleRunner(project, project / "state")
    args = {"name": "say.yml", "extra_vars": {"values": "{{ event.values }}"}}
    bench = Bench([("run_playbook", args)], clock=SystemClock(), runner=runner)
    nasty_keys = dict.fromkeys(ANSIBLE_KEYS, "evil")
    event = {"values": VALUES, **nasty_keys, "meta": {"hosts": ["web1"], **nasty_keys}}
    (result,) = await bench.fire(event)
    assert result.status.value == "successful", result.message
    said = json.loads((project / "said.json").read_text())
    assert said["kept"] == VALUES
    assert said["eda"]["event"]["values"] == VALUES
    assert said["printed"] == VALUES["command substitution"]
    assert_nothing_executed()


async def test_a_module_gets_every_value_as_text(project: Path) -> None:
    """Module arguments by name bring every value to the module as it is."""
    runner = AnsibleRunner(project, project / "state")
    args = {"name": "copy", "module_args": {"content": "{{ event.all }}", "dest": "said.txt"}}
    args["module_args"]["dest"] = str(project / "said.txt")  # type: ignore[index]
    bench = Bench([("run_module", args)], hosts=("web1",), clock=SystemClock(), runner=runner)
    everything = "\n".join(text for text in VALUES.values() if "\0" not in text)
    (result,) = await bench.fire({"all": everything})
    assert result.status.value == "successful", result.message
    assert (project / "said.txt").read_bytes().decode() == everything
    assert_nothing_executed()


async def test_names_of_variables_are_no_templates(project: Path) -> None:
    """Keys of an event are keys, whatever they spell."""
    runner = AnsibleRunner(project, project / "state")
    keys = {text: "x" for name, text in VALUES.items() if text.strip()}
    result = await runner.run(
        PlaybookRequest(
            ident="st-keys",
            playbook="say.yml",
            extra_vars={"values": {**keys, "command substitution": "x"}, "ansible_eda": keys},
            limit="web1",
        )
    )
    assert result.state is StepState.SUCCESSFUL, result.message
    said = json.loads((project / "said.json").read_text())
    assert said["eda"] == keys
    assert_nothing_executed()


def assert_nothing_executed() -> None:
    """No value has created the marker."""
    assert not Path(MARKER).exists()
