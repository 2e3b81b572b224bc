"""The project folder a verb works on, and its record."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from selfheal.config import CONFIG_NAME, Config, Project, load_project
from selfheal.daemon.lock import holder_of
from selfheal.errors import ConfigError, StoreError
from selfheal.ports import Record
from selfheal.yamlfile import load_yaml

if TYPE_CHECKING:
    from selfheal.masking import Secrets

F = TypeVar("F", bound=Callable[..., Any])


def project_option(function: F) -> F:
    """Add `-p/--project`: the folder with `selfheal.yml` and its kin."""
    return click.option(
        "-p",
        "--project",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(),
        envvar="SELFHEAL_PROJECT",
        help="Project folder. [default: the current one, or $SELFHEAL_PROJECT]",
    )(function)


def tolerant_project(folder: Path) -> Project:
    """Return the project; of a selfheal.yml that is wrong just now only where the record is.

    To stop and to look must be possible while somebody edits the file."""
    try:
        return load_project(folder)
    except ConfigError as error:
        document = load_yaml(folder / CONFIG_NAME, error=ConfigError)
        state = document.value.get("state") if isinstance(document.value, dict) else None
        click.echo(f"warning: {error.problems[0]}", err=True)
        config = Config(state=state) if isinstance(state, str) else Config()
        return Project(root=folder.absolute(), config=config)


@contextlib.contextmanager
def record_of(folder: Path) -> Iterator[Record]:
    """Open the record of a project for reading what an engine wrote, or leaving a message."""
    project = tolerant_project(folder)
    if not project.database.exists():
        raise StoreError(
            f"no record at {project.database}: has an engine run here? (see --project)"
        )
    with opened_record(project) as record:
        yield record


@contextlib.contextmanager
def record_to_change(folder: Path) -> Iterator[Record]:
    """Open the record of a project for what its engine, running or not, is to find there.

    Says so when no engine is running. A folder that is no project gets no record: a command
    typed in the wrong place must not report success."""
    project = tolerant_project(folder)
    is_project = (folder / CONFIG_NAME).exists() or project.rulebooks.exists()
    if not is_project and not project.database.exists():
        raise StoreError(f"{folder.absolute()} is no project of selfheal (see --project)")
    with opened_record(project) as record:
        yield record
    if holder_of(project.state) is None:
        click.echo("no engine is running here; one that starts will find this", err=True)


@contextlib.contextmanager
def opened_record(project: Project, secrets: Secrets | None = None) -> Iterator[Record]:
    """Open the record, made if need be; what `secrets` and the project know is never written."""
    from selfheal.daemon.known_secrets import learn_project
    from selfheal.masking import Secrets
    from selfheal.store import open_record
    from selfheal.store.migrations import MIGRATIONS, format_of

    known = (0, len(MIGRATIONS))
    there = project.database.exists()
    if there and holder_of(project.state) and format_of(project.database) not in known:
        raise StoreError(
            "the engine that runs here is of another version of selfheal: use its commands, or "
            "restart it first"
        )
    secrets = secrets or Secrets()
    learn_project(secrets, project)
    record = open_record(project.database, mask=secrets.mask_document)
    try:
        yield record
    finally:
        record.close()
