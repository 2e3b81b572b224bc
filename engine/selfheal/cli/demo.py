"""`selfheal demo`: watch a real fault be healed."""

from __future__ import annotations

import click

from selfheal.cli.exits import Exit


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave the temporary folder for a look around.")
@click.option("--plain", is_flag=True, help="Plain lines even on a terminal.")
def command(keep: bool, plain: bool) -> None:
    """Watch a real fault be healed, in a temporary folder.

    Starts a small HTTP service with its own supervisor, starts the engine on it, kills the
    service, and shows the way from the fault to the verified recovery; then a second fault that
    the quick fix does not help. Exit code 0 only if all of it truly happened.
    """
    from selfheal.demo.run import run_demo

    raise Exit(run_demo(keep=keep, plain=plain))
