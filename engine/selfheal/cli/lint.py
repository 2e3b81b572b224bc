"""`selfheal lint`: check rulebooks before an engine has to refuse them."""

from __future__ import annotations

from pathlib import Path

import click

from selfheal.cli.exits import Exit
from selfheal.cli.project import project_option
from selfheal.config import Project, load_project
from selfheal.errors import InputError, Problem
from selfheal.exit_codes import FAILED


@click.command("lint")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True))
@project_option
@click.option("--strict", is_flag=True, help="Warnings count as findings, too.")
def command(files: tuple[Path, ...], folder: Path, strict: bool) -> None:
    """Check rulebooks.

    Checks FILES, or all rulebooks of the project, as the engine would. Prints each finding as
    file:line:column, all of a file at once. Exit code 1 when there are any.
    """
    from selfheal.rulebook.lint import lint_files

    project = load_project(folder)
    targets = list(files) or [project.rulebooks]
    report = lint_files(targets, playbooks=project.playbooks, variables=project.config.vars)
    errors = report.errors or _refusal(project, targets)
    for finding in (*errors, *report.warnings):
        click.echo(str(finding))
    counts = f"{len(errors)} errors, {len(report.warnings)} warnings"
    click.echo(f"{report.files} rulebooks checked: {counts}", err=True)
    if errors or (strict and report.warnings):
        raise Exit(FAILED)


def _refusal(project: Project, targets: list[Path]) -> tuple[Problem, ...]:
    """Return why the engine would refuse these rulebooks: their sources and filters, too."""
    from selfheal.daemon.loading import load_edition

    try:
        load_edition(project, targets)
    except InputError as error:
        return error.problems
    return ()
