"""What one run of ansible-playbook is given: files, folders, command, environment."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfheal.errors import ExecutionError, NotInstalledError
from selfheal.model import PlaybookRequest
from selfheal.recovery.executors.environment import environment, only_ours
from selfheal.recovery.executors.scrub import Mask, ScrubLock, scrub_run
from selfheal.recovery.executors.unsafe import dump_plain, dump_unsafe, unsafe, unsafe_values

_log = logging.getLogger(__name__)


def _unmasked(value: Any) -> Any:
    return value


_COLLECTION_PLAYBOOK = re.compile(r"\w+\.\w+\.\w+(?<!\.yml)(?<!\.yaml)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a project's playbooks run: absolute paths and the choice of Ansible."""

    project: Path
    """Working folder of every run."""
    playbooks: Path
    """Where a playbook is looked for first."""
    inventory: Path
    """The project's inventory; may be missing unless it is required."""
    private: Path
    """ansible-runner's folder."""
    executable: str = ""
    """`ansible-playbook` to use; empty: found."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to every run's environment."""
    inventory_required: bool = False
    """Whether it is an error that the project's inventory is missing."""
    mask: Mask = _unmasked
    """Blots out secrets in what a run tells and leaves."""

    def artifacts(self, ident: str) -> Path:
        """Folder of one run's artifacts."""
        return self.private / "artifacts" / ident

    def program(self, name: str) -> str:
        """Return the path of an Ansible program. Raises ExecutionError."""
        return find_program(name, self.executable)

    def playbook(self, name: str) -> str:
        """Return the playbook's path. Raises ExecutionError."""
        places = [self.playbooks / name, self.project / name]  # an absolute name stands for itself
        for place in places:
            if place.is_file():
                return str(place)
        if _COLLECTION_PLAYBOOK.fullmatch(name):
            return name
        looked = " and ".join(dict.fromkeys(str(place) for place in places))
        raise ExecutionError(f"playbook {name!r} not found: looked for {looked}")

    def inventory_for(self, wanted: str) -> str | None:
        """Return the inventory to pass on; None leaves it to Ansible. Raises ExecutionError."""
        if not wanted:
            if self.inventory.exists():
                return str(self.inventory)
            if self.inventory_required:
                raise ExecutionError(f"the inventory {self.inventory} is named and not there")
            return None
        if "," in wanted:
            return wanted
        path = Path(wanted) if Path(wanted).exists() else self.project / wanted
        if not path.exists():
            raise ExecutionError(f"inventory {wanted!r} not found: looked for {path}")
        return str(path.absolute())

    def env(self, ident: str, program: str) -> dict[str, str]:
        """Return the environment of one run."""
        temp = self.private / "tmp"
        temp.mkdir(mode=0o700, parents=True, exist_ok=True)
        return environment(
            str(self.artifacts(ident)),
            project=self.project,
            temp=temp,
            executable=program,
            extra=self.environment,
        )


def find_program(name: str, executable: str = "") -> str:
    """Return the path of the Ansible program `name`. Raises ExecutionError.

    It is the sibling of `executable` (an `ansible-playbook`) when one is given, else the one
    beside our Python, else the one on PATH."""
    beside_ours = Path(sys.executable).parent / name
    if executable:
        configured = shutil.which(executable)
        found = configured and shutil.which(str(Path(configured).with_name(name)))
    else:
        found = shutil.which(str(beside_ours)) or shutil.which(name)
    if not found:
        places = executable or f"{beside_ours}, then PATH"
        raise NotInstalledError(
            f"{name} is not installed (looked for {places}): pip install 'selfheal[ansible]'"
        )
    return found


class RunFolder:
    """The artifact folder of one run and what is written into it before the start."""

    def __init__(self, site: Site, request: PlaybookRequest) -> None:
        self._site = site
        self._request = request
        self._path = site.artifacts(request.ident)
        self._lock = ScrubLock(self._path)

    def mask(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return an event of the run without the secrets."""
        masked: dict[str, Any] = self._site.mask(event)
        return masked

    def prepare(self, on_event: Callable[[dict[str, Any]], bool]) -> Any:
        """Return the ansible_runner.Runner, ready to run. Raises ExecutionError."""
        try:
            import ansible_runner
        except ImportError as error:
            raise ExecutionError(f"ansible-runner can't be used: {error}") from error
        site, request = self._site, self._request
        program = site.program("ansible-playbook")
        own_env = site.env(request.ident, program)
        playbook = site.playbook(request.playbook) if not request.module else ""
        inventory = site.inventory_for(request.inventory)
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.chmod(0o700)
        if not self._lock.take():
            raise ExecutionError(f"run {request.ident} is under way in another process")
        flags = [flag for flag in ("check", "diff") if getattr(request, flag)]
        try:
            config = ansible_runner.RunnerConfig(
                private_data_dir=str(site.private),
                project_dir=str(site.project),
                ident=request.ident,
                playbook=playbook or self._module_playbook(),
                inventory=inventory,
                limit=request.limit or None,
                extravars=self._variables(),
                verbosity=request.verbosity,
                cmdline=" ".join(f"--{flag}" for flag in flags) or None,
                envvars=dict(own_env),
                fact_cache_type="none",
                quiet=True,
            )
            config.prepare()
        except ansible_runner.AnsibleRunnerException as error:
            raise ExecutionError(f"ansible-runner can't start the run: {error}") from error
        config.env = only_ours(config.env, own_env)
        config.command = [*_dies_with_us(), program, *config.command[1:]]
        return ansible_runner.Runner(config, event_handler=on_event)

    def output(self) -> str:
        """Return what Ansible wrote to the terminal."""
        with suppress(OSError):
            return (self._path / "stdout").read_text(errors="replace")
        return ""

    def scrub(self) -> None:
        """Remove the variables and ansible-runner's copy of the environment; mask the rest."""
        if self._lock.held:
            self._lock.release(scrubbed=scrub_run(self._path, self._site.mask))

    def _variables(self) -> str | None:
        if not self._request.extra_vars:
            return None
        return self._write("extra-vars.yml", dump_unsafe(self._request.extra_vars))

    def _module_playbook(self) -> str:
        # `ansible -m … -a …` would show the arguments to everybody who can list processes.
        request = self._request
        given = request.module_args
        args = unsafe(given) if isinstance(given, str) else unsafe_values(given)
        task = {"name": unsafe(request.module), request.module: args or None}
        play = {"hosts": unsafe(request.host_pattern), "gather_facts": False, "tasks": [task]}
        return self._write("module.yml", dump_plain([play]))

    def _write(self, name: str, text: str) -> str:
        path = self._path / name
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        return str(path)


def _dies_with_us() -> list[str]:
    """Return the prefix by which the kernel ends Ansible when the engine is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
