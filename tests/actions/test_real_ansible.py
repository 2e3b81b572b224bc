"""run_playbook and run_module through real Ansible: the seam that a stand-in can't prove."""

from pathlib import Path
from typing import Any

import pytest

from selfheal.clock import SystemClock
from selfheal.recovery.executors.ansible import AnsibleRunner
from tests.actions.bench import Bench

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.set_stats:
        data: {seen: "{{ ansible_eda }}", ran_on: "{{ ansible_play_hosts }}"}
    - ansible.builtin.set_fact: {done: "{{ text }}", cacheable: true}
"""
EVENT = {"i": 1, "text": "{{ lookup('pipe', 'id') }}", "meta": {"hosts": ["h2"]}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "tell.yml").write_text(PLAYBOOK)
    (tmp_path / "inventory").write_text(
        "h1 ansible_connection=local\nh2 ansible_connection=local\n"
    )
    return tmp_path


async def run(project: Path, name: str, args: dict[str, Any]) -> Bench:
    runner = AnsibleRunner(project, project / "state")
    bench = Bench([(name, args)], clock=SystemClock(), runner=runner)
    (result,) = await bench.fire(EVENT)
    assert result.status.value == "successful", result.message
    return bench


async def test_a_playbook_sees_the_event_and_tells_back(project: Path) -> None:
    """Variables arrive with their types, limited to the event's host, and Jinja in them is text."""
    args = {
        "name": "playbooks/tell.yml",
        "post_events": True,
        "extra_vars": {"text": "{{ event.text }}"},
    }
    bench = await run(project, "run_playbook", args)
    ((_, event),) = bench.events
    assert event["seen"] == {"ruleset": "web", "rule": "r", "event": EVENT}
    assert event["ran_on"] == ["h2"]
    assert event["done"] == EVENT["text"]


async def test_a_module_gets_lists_and_tells_its_result(project: Path) -> None:
    """Arguments by name reach the module as they are; its result comes back as an event."""
    args = {
        "name": "ansible.builtin.command",
        "module_args": {"argv": ["echo", "a b", "{{ event.i }}"]},
        "post_events": True,
    }
    bench = await run(project, "run_module", args)
    ((_, event),) = bench.events
    assert (event["stdout"], event["stdout_lines"], event["rc"]) == ("a b 1", ["a b 1"], 0)
    assert (event["changed"], event["failed"]) == (True, False)
