"""`selfheal db`: keep the record in order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from selfheal.cli.exits import Exit
from selfheal.cli.output import output_option, plain, print_data, print_rows
from selfheal.cli.project import project_option
from selfheal.config import Project, load_project
from selfheal.daemon.lock import holder_of
from selfheal.errors import StoreError
from selfheal.exit_codes import FAILED

if TYPE_CHECKING:
    from selfheal.store import SqliteRecord


@click.group("db")
def command() -> None:
    """Keep the record in order: migrate, back up, prune, check."""


@command.command()
@project_option
@output_option
def migrate(folder: Path, output: str) -> None:
    """Bring the record to this version's format.

    Every verb, and the engine, does so by itself. This one tells from which format to which, and
    refuses while an engine runs that may be of an older version.
    """
    from selfheal.store.migrations import MIGRATIONS, format_of

    project = _project(folder)
    before, newest = format_of(project.database), len(MIGRATIONS)
    if before != newest:
        _refuse_while_an_engine_runs(project, "migrating")
    with _record(project):
        pass
    steps = [step.__name__ for step in MIGRATIONS[before:]]
    _print({"from": before, "to": newest, "steps": steps}, output)


@command.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@project_option
@output_option
def backup(file: Path, force: bool, folder: Path, output: str) -> None:
    """Copy the record to FILE, consistent and checked, also while the engine works.

    To restore it: stop the engine, move the record and the -wal and -shm files beside it away,
    and put FILE in its place.
    """
    from selfheal.store.backup import back_up

    project = _project(folder)
    size = back_up(project.database, file, force=force)
    _print({"file": str(file), "bytes": size, "checked": "ok"}, output)


@command.command()
@project_option
@output_option
def vacuum(folder: Path, output: str) -> None:
    """Rewrite the file without its free pages; the engine must not run.

    Pruning gives pages back by itself. Files that an early version made learn it by this."""
    project = _project(folder)
    _refuse_while_an_engine_runs(project, "rewriting the file")
    before = project.database.stat().st_size
    with _record(project) as record:
        record.vacuum()
    _print({"bytes_before": before, "bytes": project.database.stat().st_size}, output)


@command.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@project_option
@output_option
def prune(dry_run: bool, folder: Path, output: str) -> None:
    """Delete what is older than `retention:` in selfheal.yml says; the engine does it hourly.

    What is open, waits, runs, or is needed at the next start stays. --dry-run counts by age
    only, not what would go because of max_size.
    """
    import asyncio

    from selfheal.clock import SystemClock
    from selfheal.store.housekeeping import tidy

    project, clock = _project(folder), SystemClock()
    limits = project.config.retention
    with _record(project) as record:
        if dry_run:
            counts = dict(record.prunable(clock.now(), limits))
        else:
            counts = dict(asyncio.run(tidy(record, project.state, limits, clock)))
    rows = [{"noun": noun, "count": count} for noun, count in counts.items()]
    print_rows(rows, ["noun", "count"], output)


@command.command()
@project_option
@output_option
def check(folder: Path, output: str) -> None:
    """Look for damage and contradictions; exit code 1, and a line for each, when there are any."""
    project = _project(folder)
    with _record(project) as record:
        found = record.findings(project.state / "runner" / "artifacts")
    if output != "table":
        print_data({"ok": not found, "findings": found}, output)
    for line in found if output == "table" else ():
        click.echo(line)
    if found:
        raise Exit(FAILED)
    if output == "table":
        click.echo("nothing wrong was found", err=True)


@command.command()
@project_option
@output_option
def stats(folder: Path, output: str) -> None:
    """Print rows and bytes of every table."""
    with _record(_project(folder)) as record:
        rows = [plain(size) for size in record.sizes()]
    print_rows(rows, ["table", "rows", "bytes"], output)


def _project(folder: Path) -> Project:
    project = load_project(folder)
    if not project.database.exists():
        raise StoreError(
            f"no record at {project.database}: has an engine run here? (see --project)"
        )
    return project


@contextlib.contextmanager
def _record(project: Project) -> Iterator[SqliteRecord]:
    from selfheal.store import open_record

    record = open_record(project.database)
    try:
        yield record
    finally:
        record.close()


def _refuse_while_an_engine_runs(project: Project, what: str) -> None:
    if holder := holder_of(project.state):
        raise StoreError(f"an engine (pid {holder}) works on the record; stop it before {what}")


def _print(data: dict[str, Any], output: str) -> None:
    if output != "table":
        print_data(data, output)
        return
    for key, value in data.items():
        shown = ", ".join(value) or "none" if isinstance(value, list) else value
        click.echo(f"{key.replace('_', ' '):>14}: {shown}")
