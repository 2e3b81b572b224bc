"""`selfheal-engine`, the daemon (also `selfheal engine`)."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from selfheal.cli.exits import Exit
from selfheal.cli.project import project_option
from selfheal.config import load_project

if TYPE_CHECKING:
    from selfheal.config import Project
    from selfheal.daemon.options import Options
    from selfheal.masking import Secrets

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


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
    "-i",
    "--inventory",
    type=click.Path(path_type=Path, exists=True),
    help="Ansible inventory. [default: the project's inventory/]",
)
@click.option(
    "-e", "--vars", "vars_files", multiple=True, type=_FILE, help="YAML file with variables."
)
@click.option(
    "-E",
    "--env-vars",
    default="",
    metavar="A,B",
    help="Environment variables to take, or their _FILE.",
)
@click.option(
    "-S",
    "--source-dir",
    "source_dirs",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with source plugins.",
)
@click.option(
    "--execution-strategy",
    "strategy",
    type=click.Choice(["sequential", "parallel"]),
    default="sequential",
    help="Of rulesets that don't say. [default: sequential]",
)
@click.option(
    "--vault-password-file",
    "password_files",
    multiple=True,
    type=_FILE,
    help="Opens !vault values.",
)
@click.option("--vault-id", "vault_ids", multiple=True, metavar="LABEL@FILE", help="The same.")
@click.option(
    "--end-when",
    type=click.Choice(["all-sources", "first-source"]),
    default="all-sources",
    help="End when all sources have ended, or as soon as one has. [default: all-sources]",
)
@click.option(
    "--shutdown-delay",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="How long running steps may go on when it ends. [default: drain_timeout]",
)
@click.option("--standby", is_flag=True, help="Wait for the engine that works here to end.")
@click.option("--print-events", is_flag=True, help="Print each event before it is matched.")
@click.option(
    "--once", is_flag=True, help="End when the first incident has ended, with its exit code."
)
@click.option("-v", "--verbose", count=True, help="Say more; twice for everything.")
@project_option
def command(folder: Path, rulebooks: tuple[Path, ...], once: bool, **given: Any) -> None:
    """Run the engine (the same as selfheal-engine).

    It runs until SIGTERM, or until every source has ended. SIGTERM and SIGINT drain: nothing
    new is taken in, running steps end. SIGHUP reloads the rulebooks; a wrong one is refused
    whole and the running ones stay.
    """
    from selfheal.daemon.engine import Engine
    from selfheal.daemon.masked_output import mask_process
    from selfheal.daemon.options import read_variables, with_overrides
    from selfheal.masking import Secrets

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the engine can reload
    secrets = Secrets()
    mask_process(secrets)
    _log_to_stderr(given["verbose"])
    options = _options(given, secrets)
    names = [name.strip() for name in given["env_vars"].split(",") if name.strip()]

    def read() -> Project:
        return with_overrides(
            load_project(folder),
            inventory=given["inventory"],
            variables=read_variables(given["vars_files"], names, options.vault, secrets),
            drain_timeout=given["shutdown_delay"],
        )

    engine = Engine(read(), rulebooks=rulebooks, once=once, options=options, read=read)
    raise Exit(asyncio.run(engine.run()))


def _options(given: dict[str, Any], secrets: Secrets) -> Options:
    from selfheal.daemon.options import EndWhen, Options
    from selfheal.daemon.vault import Vault
    from selfheal.model import ExecutionStrategy

    return Options(
        plugin_dirs=tuple(path.absolute() for path in given["source_dirs"]),
        strategy=ExecutionStrategy(given["strategy"]),
        end_when=EndWhen(given["end_when"]),
        vault=Vault(given["password_files"], given["vault_ids"], secrets),
        secrets=secrets,
        print_events=given["print_events"],
        standby=given["standby"],
    )


def _log_to_stderr(verbose: int) -> None:
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    layout = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=level, format=layout)
