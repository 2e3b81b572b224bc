"""`selfheal init`: start a project folder that runs at once."""

from __future__ import annotations

from pathlib import Path

import click

from selfheal.content import copy_example


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
def command(folder: Path) -> None:
    """Start a project folder that runs at once.

    Writes a commented selfheal.yml, one rulebook, the playbook library and an inventory into
    FOLDER (the current one by default); never overwrites a file.
    """
    written = copy_example(folder)
    for path in written:
        click.echo(path)
    click.echo(f"\nnext: cd {folder} && selfheal lint && selfheal-engine", err=True)
