"""What the command line says beyond the project folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from selfheal.config import Project
from selfheal.daemon.known_secrets import file_or_environment, learn_arguments
from selfheal.daemon.vault import Vault
from selfheal.errors import ConfigError
from selfheal.masking import Secrets
from selfheal.model import ExecutionStrategy
from selfheal.yamlfile import describe, load_yaml


class EndWhen(Enum):
    """When an engine ends by itself."""

    ALL_SOURCES = "all-sources"
    """Every source has ended, and nothing waits or runs."""
    FIRST_SOURCE = "first-source"
    """One source has ended; the others are stopped, what was taken in is worked off."""


@dataclass(frozen=True, slots=True)
class Options:
    """How one engine is to run."""

    plugin_dirs: tuple[Path, ...] = ()
    """Folders with source plugins, searched before the rulebook's own."""
    strategy: ExecutionStrategy = ExecutionStrategy.SEQUENTIAL
    """For rulesets that don't say."""
    end_when: EndWhen = EndWhen.ALL_SOURCES
    """When it ends by itself."""
    vault: Vault = field(default_factory=Vault)
    """Opens encrypted values."""
    secrets: Secrets = field(default_factory=Secrets)
    """What must not be shown; the vault adds to it."""
    print_events: bool = False
    """Print each event before it is matched."""
    standby: bool = False
    """Wait for the end of the engine that works here, and take over."""


def with_overrides(
    project: Project,
    *,
    inventory: Path | None = None,
    variables: Mapping[str, Any] | None = None,
    drain_timeout: float | None = None,
) -> Project:
    """Return the project with what the command line puts in the place of `selfheal.yml`."""
    changes: dict[str, Any] = {}
    if inventory is not None:
        changes["inventory"] = str(inventory.absolute())
    if variables:
        changes["vars"] = {**project.config.vars, **variables}
    if drain_timeout is not None:
        changes["drain_timeout"] = drain_timeout
    return replace(project, config=project.config.model_copy(update=changes))


def read_variables(
    files: Iterable[Path], names: Iterable[str], vault: Vault, secrets: Secrets
) -> dict[str, Any]:
    """Return the variables of YAML files and of the environment; later ones win.

    For `NAME` in the environment the file that `NAME_FILE` names will do. What is a secret by its
    origin or name is learned. Raises `ConfigError` for a file that holds no mapping, for an
    environment variable that is not set, for an encrypted value that can't be opened.
    """
    variables: dict[str, Any] = {}
    for file in files:
        document = load_yaml(file, error=ConfigError)
        if not isinstance(document.value, Mapping | None):
            message = f"must be a mapping, not {describe(document.value)}"
            raise ConfigError([document.problem(message, ())])
        variables.update(vault.reveal(document.value or {}, str(file)))
        learn_arguments(secrets, variables, str(file))
    variables.update({name: file_or_environment(name, os.environ, secrets) for name in names})
    return variables
