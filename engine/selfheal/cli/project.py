"""The project folder a verb works on, and its record."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from selfheal.config import Project, load_project
from selfheal.errors import StoreError
from selfheal.ports import Record

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


@contextlib.contextmanager
def record_of(folder: Path) -> Iterator[Record]:
    """Open the record of a project for reading what an engine wrote, or leaving a message."""
    project = load_project(folder)
    if not project.database.exists():
        raise StoreError(
            f"no record at {project.database}: has an engine run here? (see --project)"
        )
    with opened_record(project) as record:
        yield record


@contextlib.contextmanager
def opened_record(project: Project, secrets: Secrets | None = None) -> Iterator[Record]:
    """Open the record, made if need be; what `secrets` and the project know is never written."""
    from selfheal.daemon.known_secrets import learn_project
    from selfheal.masking import Secrets
    from selfheal.store import open_record

    secrets = secrets or Secrets()
    learn_project(secrets, project)
    record = open_record(project.database, mask=secrets.mask_document)
    try:
        yield record
    finally:
        record.close()
