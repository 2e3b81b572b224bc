"""Configuration: a project folder with `selfheal.yml`, `rulebooks/`, `playbooks/`, `inventory/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from selfheal.duration import parse_duration
from selfheal.errors import ConfigError, DurationError, Problem
from selfheal.model import Risk
from selfheal.strict import Strict
from selfheal.yamlfile import load_yaml, problems_from

CONFIG_NAME = "selfheal.yml"


def _seconds(value: Any) -> Any:
    try:
        return parse_duration(value) if isinstance(value, str) else value
    except DurationError as error:
        raise ValueError(str(error)) from error


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]


class Approval(Strict):
    """When a human must say yes before a solution is run."""

    risk: Risk = Field(Risk.HIGH, description="Solutions of this risk and above need approval.")
    confidence: float = Field(
        0.7, ge=0, le=1, description="Solutions believed in less than this need approval."
    )


class WebhookTarget(Strict):
    """Tell a human by an HTTP POST of JSON."""

    url: str = Field(description="Where to post.")
    headers: dict[str, str] = Field(default_factory=dict, description="Sent along.")
    timeout: Seconds = Field(10.0, description="Time limit of one try.")


class SmtpTarget(Strict):
    """Tell a human by e-mail."""

    host: str = Field(description="Mail server.")
    port: int = Field(25, ge=1, le=65535)
    sender: str = Field(description="From address.")
    to: list[str] = Field(min_length=1, description="To addresses.")
    starttls: bool = Field(False, description="Encrypt before anything is said.")
    user: str = Field("", description="Login, if the server wants one.")
    password_file: str = Field("", description="File that holds the password.")
    timeout: Seconds = Field(10.0, description="Time limit of the conversation.")


class Notify(Strict):
    """Who is told when a human is needed; the log and the record always are."""

    webhooks: list[WebhookTarget] = Field(default_factory=list)
    smtp: list[SmtpTarget] = Field(default_factory=list)


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
    queue_size: int = Field(1000, ge=1, description="Events that may wait for one ruleset.")
    drain_timeout: Seconds = Field(
        30.0, description="How long a shutdown waits for running steps before it ends them."
    )
    prometheus_url: str = Field("", description="Where `promql` validations ask by default.")
    approval: Approval = Field(default_factory=lambda: Approval())
    notify: Notify = Field(default_factory=lambda: Notify())


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
