"""`selfheal deny`: say no to what the engine asks."""

from __future__ import annotations

from pathlib import Path

import click

from selfheal.cli.project import project_option


@click.command("deny")
@click.argument("approval_id", metavar="ID")
@click.option("--why", default="", help="Goes on record.")
@click.option("--as", "who", default="", metavar="NAME", help="Who says so. [default: the user]")
@project_option
def command(approval_id: str, why: str, who: str, folder: Path) -> None:
    """Say no to what the engine asks.

    A no is final. Exit code 1: it was decided otherwise before.
    """
    from selfheal.cli.answers import give_answer

    give_answer(folder, approval_id, who, why, yes=False)
