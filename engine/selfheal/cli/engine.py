"""`selfheal-engine`, the daemon (also `selfheal engine`)."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import click

from selfheal.cli.exits import Exit
from selfheal.cli.project import project_option
from selfheal.config import load_project


@click.command("engine")
@click.option(
    "-r",
    "--rulebook",
    "rulebooks",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Rulebook file or folder; may be repeated. [default: the project's rulebooks/]",
)
@click.option(
    "--once", is_flag=True, help="End when the first incident has ended, with its exit code."
)
@click.option("-v", "--verbose", count=True, help="Say more; twice for everything.")
@project_option
def command(rulebooks: tuple[Path, ...], once: bool, verbose: int, folder: Path) -> None:
    """Run the engine until SIGTERM, or until every source has ended.

    SIGTERM and SIGINT drain: nothing new is taken in, running steps end. SIGHUP reloads the
    rulebooks; a wrong one is refused whole and the running ones stay.
    """
    from selfheal.daemon.engine import Engine

    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    engine = Engine(load_project(folder), rulebooks=rulebooks, once=once)
    raise Exit(asyncio.run(engine.run()))
