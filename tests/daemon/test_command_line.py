"""What `selfheal-engine` takes on its command line beside the project folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from selfheal.config import load_project
from selfheal.daemon.loading import load_edition
from selfheal.daemon.options import EndWhen, Options, read_variables, with_overrides
from selfheal.daemon.vault import Vault
from selfheal.errors import ConfigError, RulebookError
from selfheal.masking import Secrets
from selfheal.model import ExecutionStrategy, Kind, TaskResult
from selfheal.recovery.executors import MemoryRunner
from selfheal.recovery.executors.memory import Reply
from tests.daemon.support import RULES, Observer, engine_inside, write_project

SAYS = """
- name: says
  hosts: all
  sources:
    - {source}
  rules:
    - name: greet
      condition: event.i == 0
      action: {{debug: {{msg: "{text}"}}}}
"""


def run_engine(folder: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the engine in `folder` until it ends by itself."""
    command = [sys.executable, "-m", "selfheal.cli", "engine", *options]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)


def test_variables_come_from_files_and_environment(tmp_path: Path) -> None:
    """`--vars` and `--env-vars` reach the rulebook, the environment wins, no project is needed."""
    (tmp_path / "vars.yml").write_text("who: file\nhow: well\n")
    rules = SAYS.format(source="range: {limit: 1}", text="{{ who }} {{ how }}")
    (tmp_path / "rules.yml").write_text(rules)
    done = run_engine(tmp_path, "-r", "rules.yml", "-e", "vars.yml", "-E", "who", who="env")
    assert done.returncode == 0, done.stderr
    assert "\nenv well\n" in done.stdout


def test_an_unset_environment_variable_is_refused(tmp_path: Path) -> None:
    """Each missing variable is named, and the exit code is that of a usage error."""
    (tmp_path / "rules.yml").write_text(SAYS.format(source="range: {limit: 1}", text="x"))
    done = run_engine(tmp_path, "-r", "rules.yml", "-E", "NO_SUCH_ONE")
    assert done.returncode == 2
    assert "NO_SUCH_ONE is not set" in done.stderr


def test_a_variables_file_must_hold_a_mapping(tmp_path: Path) -> None:
    """A list in the place of variables is refused with file and line."""
    path = tmp_path / "vars.yml"
    path.write_text("- a\n")
    with pytest.raises(ConfigError, match=r"vars\.yml:1:1: must be a mapping, not a list"):
        read_variables([path], [], Vault(), Secrets())


def test_the_command_line_wins_over_the_project(tmp_path: Path) -> None:
    """Inventory, variables and drain time-out stand in the place of what selfheal.yml says."""
    folder = write_project(tmp_path, vars={"a": 1, "b": 1}, drain_timeout="9s")
    project = with_overrides(
        load_project(folder), inventory=Path("/other"), variables={"b": 2}, drain_timeout=5.0
    )
    assert project.inventory == Path("/other")
    assert {**project.config.vars, "proof": ""} == {"a": 1, "b": 2, "proof": ""}
    assert project.config.drain_timeout == 5.0


def test_source_plugins_of_a_given_folder_are_found(tmp_path: Path) -> None:
    """A plugin in a `--source-dir` folder is the source of that name."""
    (tmp_path / "mine").mkdir()
    plugin = "async def main(queue, args):\n    await queue.put({'i': 0})\n"
    (tmp_path / "mine" / "odd_source.py").write_text(plugin)
    (tmp_path / "rules.yml").write_text(SAYS.format(source="odd_source: {}", text="it came"))
    done = run_engine(tmp_path, "-r", "rules.yml", "-S", "mine")
    assert "\nit came\n" in done.stdout, done.stderr


def test_the_first_sources_end_can_end_all(tmp_path: Path) -> None:
    """With `first-source` an endless source does not keep the engine from ending."""
    rules = SAYS.format(source="range: {limit: 1}\n    - tick: {}", text="x")
    (tmp_path / "rules.yml").write_text(rules)
    done = run_engine(tmp_path, "-r", "rules.yml", "--end-when", "first-source")
    assert done.returncode == 0, done.stderr
    assert "\nx\n" in done.stdout


def test_events_can_be_printed(tmp_path: Path) -> None:
    """`--print-events` shows every event, also one that no rule is about."""
    (tmp_path / "rules.yml").write_text(SAYS.format(source="range: {limit: 2}", text="x"))
    done = run_engine(tmp_path, "-r", "rules.yml", "--print-events")
    assert done.stdout.count("[event received]") == 2
    assert "{'i': 1," in done.stdout


def test_a_firing_can_be_told_from_others(tmp_path: Path) -> None:
    """The timeline joins a rule's firing, with what matched, to the actions it led to."""
    rules = SAYS.format(source="range: {limit: 1}", text="x")
    (tmp_path / "rules.yml").write_text(rules)
    assert run_engine(tmp_path, "-r", "rules.yml").returncode == 0
    seen = Observer(tmp_path)
    try:
        (fired,), (acted,) = seen.entries(Kind.RULE), seen.entries(Kind.ACTION)
    finally:
        seen.record.close()
    assert fired.data["matches"]["m"]["i"] == 0
    assert fired.data["firing"] == acted.data["firing"] != ""


FACTS = """
- name: facts
  hosts: web*
  gather_facts: true
  sources:
    - tick: {}
  rules:
    - name: of a host
      condition: event.ansible_system == "Linux"
      action: {debug: {msg: "{{ event.meta.hosts }}"}}
"""


async def test_host_facts_stand_before_the_first_event(tmp_path: Path) -> None:
    """`gather_facts` asks the ruleset's hosts; each answer is a fact that names its host."""
    answers = tuple(
        TaskResult(host, "setup", "setup", "ok", 0.1, result={"ansible_facts": facts})
        for host, facts in (("web1", {"ansible_system": "Linux"}), ("web2", {}))
    )
    runner = MemoryRunner({"ansible.builtin.setup": Reply(tasks=answers)})
    said: list[str] = []
    async with engine_inside(write_project(tmp_path, FACTS), runner, out=said.append) as engine:
        await engine.until(lambda: any("web1" in text for text in said))
    assert runner.requests[0].host_pattern == "web*"
    assert not any("web2" in text for text in said)


async def test_without_ansible_there_are_no_facts(tmp_path: Path) -> None:
    """Facts that can't be gathered are told, and the engine goes on without them."""
    runner = MemoryRunner({"ansible.builtin.setup": Reply(error="no Ansible here")})
    async with engine_inside(write_project(tmp_path, FACTS), runner) as engine:
        assert engine.told("no facts for ruleset facts: no Ansible here")


async def test_the_default_strategy_is_for_rulesets_that_say_none(tmp_path: Path) -> None:
    """`--execution-strategy` leaves alone what a rulebook says itself."""
    other = FACTS.replace("name: facts", "name: strict\n  execution_strategy: sequential")
    folder = write_project(tmp_path, FACTS + other)
    options = Options(strategy=ExecutionStrategy.PARALLEL, end_when=EndWhen.FIRST_SOURCE)
    edition = load_edition(load_project(folder), options=options)
    strategies = {ruleset.name: ruleset.execution_strategy for ruleset in edition.rulesets}
    assert strategies == {
        "facts": ExecutionStrategy.PARALLEL,
        "strict": ExecutionStrategy.SEQUENTIAL,
    }


def test_a_solution_holds_no_secret(tmp_path: Path) -> None:
    """An encrypted value in a step is refused, for the step would be recorded with it."""
    secret = "vars: {key: !vault '$ANSIBLE_VAULT;1.1;AES256'}, "
    rules = RULES.replace("{playbook: restart.yml, ", "{playbook: restart.yml, " + secret)
    with pytest.raises(RulebookError, match=r"step .* of solution 'restart' has an encrypted"):
        load_edition(load_project(write_project(tmp_path, rules)))


async def test_a_text_that_spells_a_number_becomes_a_fact_of_that_number(tmp_path: Path) -> None:
    """Variables of the environment are texts; conditions find numbers in facts all the same."""
    rules = SAYS.format(source="tick: {}", text="x").replace("event.i == 0", "event.port == 80")
    starts = """
    - name: start
      condition: event.i == 1
      action: {set_fact: {fact: {port: "{{ port }}"}}}
"""
    folder = write_project(tmp_path, rules.rstrip() + starts, vars={"port": "80"})
    async with engine_inside(folder) as engine:
        await engine.until(lambda: engine.told("debug of rule “greet”: successful"))
