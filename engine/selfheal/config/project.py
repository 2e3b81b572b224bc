"""Configuration: a project folder with `selfheal.yml`, `rulebooks/`, `playbooks/`, `inventory/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from selfheal.config.api import Api
from selfheal.config.approval import Approval
from selfheal.config.durations import Seconds
from selfheal.config.notify import Notify
from selfheal.config.rails import Rails
from selfheal.config.retention import Retention
from selfheal.errors import ConfigError, Problem
from selfheal.strict import Strict, refusal
from selfheal.yamlfile import load_yaml, problems_from

CONFIG_NAME = "selfheal.yml"


class Config(Strict):
    """What `selfheal.yml` may say; every key has a default."""

    rulebooks: str = Field("rulebooks", description="Folder or file of rulebooks.")
    playbooks: str = Field("playbooks", description="Folder of playbooks.")
    inventory: str = Field("inventory", description="Ansible inventory: a file or a folder.")
    state: str = Field(".selfheal", description="Folder of the record and Ansible's artifacts.")
    vars: dict[str, Any] = Field(default_factory=dict, description="What rulebooks call `vars`.")
    join_engine: Literal["auto", "durable", "python"] = Field(
        "auto", description="Who joins conditions over several events."
    )
    max_parallel: int = Field(8, ge=1, le=256, description="Healings that run side by side.")
    max_event_size: int = Field(
        1024 * 1024, ge=1024, description="Bytes of JSON above which an event is refused."
    )
    queue_size: int = Field(
        10_000, ge=1, description="Events that may wait for one ruleset, journalled; at most 64 MB."
    )
    drain_timeout: Seconds = Field(
        30.0, description="How long a shutdown waits for running steps before it ends them."
    )
    prometheus_url: str = Field("", description="Where `promql` validations ask by default.")
    approval: Approval = Field(default_factory=lambda: Approval())
    rails: Rails = Field(default_factory=lambda: Rails())
    api: Api | None = Field(None, description="The HTTP API; without it nothing listens.")
    notify: Notify = Field(default_factory=lambda: Notify())
    retention: Retention = Field(default_factory=lambda: Retention())

    @model_validator(mode="after")
    def _limits_are_remembered(self) -> Self:
        longest = max((limit.every or 0.0 for limit in self.rails.limits), default=0.0)
        if longest > self.retention.incidents:
            hint = "keep incidents for as long as the longest limit counts"
            raise refusal("retention.incidents is shorter than a limit of the rails", hint)
        return self


@dataclass(frozen=True, slots=True)
class Project:
    """A project folder and its configuration, paths made absolute."""

    root: Path
    """The folder."""
    config: Config
    """What `selfheal.yml` says."""

    @property
    def rulebooks(self) -> Path:
        """Folder or file of rulebooks."""
        return self.root / self.config.rulebooks

    @property
    def playbooks(self) -> Path:
        """Folder of playbooks."""
        return self.root / self.config.playbooks

    @property
    def inventory(self) -> Path:
        """Ansible inventory."""
        return self.root / self.config.inventory

    @property
    def names_inventory(self) -> bool:
        """Whether somebody wrote down where the inventory is: then it must be there."""
        return "inventory" in self.config.model_fields_set

    @property
    def state(self) -> Path:
        """Folder of the record and of Ansible's artifacts; private to the user."""
        return self.root / self.config.state

    @property
    def database(self) -> Path:
        """The record."""
        return self.state / "selfheal.db"


def load_project(root: Path) -> Project:
    """Read the project in `root`; a missing `selfheal.yml` means the defaults.

    Raises `ConfigError` with every problem of the file, or when `root` is no folder.
    """
    if not root.is_dir():
        raise ConfigError([Problem(f"{root} is no folder", hint="start one with: selfheal init")])
    path = root / CONFIG_NAME
    config = _read_config(path) if path.exists() else Config()
    return Project(root=root.absolute(), config=config)


def _read_config(path: Path) -> Config:
    document = load_yaml(path, error=ConfigError)
    try:
        return Config.model_validate({} if document.value is None else document.value)
    except ValidationError as error:
        raise ConfigError(problems_from(error, document)) from error
