"""`selfheal version`"""

from __future__ import annotations

import click

from selfheal import __version__


@click.command("version")
def command() -> None:
    """Print the version."""
    click.echo(f"selfheal {__version__}")
