"""Run the shipped playbooks as an operator does: ansible-playbook, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import processes_in, require

ROOT = Path(__file__).parents[2]
_RECAP = re.compile(r"^localhost\s.*\bchanged=(\d+).*\bunreachable=(\d+).*\bfailed=(\d+)", re.M)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a playbook."""

    code: int
    """Exit code of ansible-playbook."""
    changed: int
    """Tasks that changed something (with --check: would change something)."""
    output: str
    """All it printed."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action of the library with its variables, as one step of one attempt."""

    name: str
    variables: dict[str, Any]
    state: Path
    """What the engine passes as selfheal_state; the action makes it."""
    by_hand: bool = False
    """Leave selfheal_state out, as an operator does; HOME is the directory above `state`."""

    def play(self, playbook: str, *options: str) -> Run:
        """Run a playbook; `failed` is for the caller to judge."""
        variables = dict(self.variables)
        if not self.by_hand:
            variables["selfheal_state"] = str(self.state)
        extra = self.state.with_suffix(".vars.yml")
        extra.write_text(yaml.dump(variables, Dumper=_Unsafe))
        command = Path(sys.executable).with_name("ansible-playbook")
        done = subprocess.run(
            [
                str(command) if command.exists() else require("ansible-playbook"),
                *("-i", str(ROOT / "inventory" / "hosts.yml")),
                *("-e", f"@{extra}"),
                *options,
                str(ROOT / "playbooks" / playbook),
            ],
            cwd=self.state.parent,  # no ansible.cfg there
            env=_environment(self.state.parent),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        recap = _RECAP.search(done.stdout)
        assert recap is not None, done.stdout
        return Run(done.returncode, int(recap[1]), done.stdout)

    def apply(self, *options: str) -> Run:
        return self._well(self.play(f"{self.name}.yml", *options))

    def roll_back(self, *options: str) -> Run:
        return self._well(self.play(f"{self.name}.rollback.yml", *options))

    def refuse(self) -> str:
        """Run it where it must fail; returns what it says."""
        run = self.play(f"{self.name}.yml")
        assert run.code == 2, run.output
        return run.output

    @staticmethod
    def _well(run: Run) -> Run:
        assert run.code == 0, run.output
        assert "[WARNING]" not in run.output, run.output
        assert "[DEPRECATION" not in run.output, run.output
        return run

    def prove(
        self,
        *,
        sabotage: Callable[[], object],
        broken: Callable[[], bool],
        healed: Callable[[], bool],
        rolled_back: Callable[[], bool],
    ) -> None:
        """The promises of every action, shown on the real server, twice in a row.

        It is harmless to roll back what never ran; --check changes nothing and says what it
        would; the action heals; a second run changes nothing; the rollback gives back what was;
        a second rollback changes nothing.
        """
        assert self.roll_back().changed == 0, "rolled back what never ran"
        for first in (True, False):
            sabotage()
            assert broken(), "the sabotage broke nothing"
            if first:
                assert self.apply("--check", "--diff").changed > 0, "--check foresaw nothing"
                assert broken(), "--check changed something"
                assert not self.state.exists(), "--check left something behind"
            assert self.apply().changed > 0
            assert healed(), "not healed"
            if first:
                again = self.apply()
                assert again.changed == 0, again.output
                assert healed(), "the second run broke it again"
            self.roll_back()
            assert rolled_back(), "not rolled back"
            if first:
                again = self.roll_back()
                assert again.changed == 0, again.output
                assert rolled_back(), "the second rollback changed something"


class _Unsafe(yaml.SafeDumper):
    """Tags every text `!unsafe`, as the engine does: Ansible never renders it as a template."""


_Unsafe.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text, '"'))


def _environment(directory: Path) -> dict[str, str]:
    ours = {
        "ANSIBLE_HOME": str(directory / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "ansible" / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(directory / "ansible" / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
    }
    inherited = {name: value for name, value in os.environ.items() if "ANSIBLE" not in name}
    sbin = f"{inherited.get('PATH', '')}:/usr/sbin:/sbin"
    return {**inherited, "PATH": sbin, **ours}


@pytest.fixture
def action(tmp_path: Path) -> Callable[..., Action]:
    """Make an Action: `action("restart", service="web")`."""

    def make(name: str, **variables: Any) -> Action:
        return Action(name, variables, tmp_path / "step")

    return make


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory for a module's servers; afterwards no process may be left in it."""
    directory = tmp_path_factory.mktemp("servers")
    yield directory
    assert processes_in(directory) == []
