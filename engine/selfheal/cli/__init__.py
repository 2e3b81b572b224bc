"""The command line: one verb a file, loaded when it is called so that `--help` is quick."""

from __future__ import annotations

import importlib

import click

from selfheal.cli.exits import report_errors

VERBS = {
    "approvals": "List and show what people are asked, and what was approved ahead.",
    "approve": "Say yes to what the engine asks, or will ask.",
    "autonomy": "See and set what rules may do by themselves.",
    "db": "Keep the record in order: migrate, back up, prune, check.",
    "demo": "Watch a real fault be healed, in a temporary folder.",
    "deny": "Say no to what the engine asks.",
    "doctor": "Check what this machine has and lacks.",
    "emit": "Hand an event to the running engine.",
    "engine": "Run the engine (the same as selfheal-engine).",
    "incidents": "List and show incidents.",
    "init": "Start a project folder that runs at once.",
    "kb": "Look into the knowledge base of solutions.",
    "lint": "Check rulebooks.",
    "maintenance": "Open, list and end maintenance windows.",
    "pause": "Begin no healing, rung or batch until `selfheal resume`.",
    "resume": "Lift a pause: the one with ID, else what holds everything.",
    "run-runbook": "Run one solution's runbook by hand.",
    "runs": "List, show, follow and stop healings.",
    "silence": "Leave alone what matches, for a time.",
    "status": "Tell what the engine is doing.",
    "storm": "List and end storms: while one holds nothing is healed.",
    "version": "Print the version.",
}
"""Verb to its one-line help; a test holds it against the verbs themselves."""


class LazyGroup(click.Group):
    """A group whose verbs are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"selfheal.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(VERBS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Faults in, verified recoveries out, and the reason for each on record."""


def main() -> None:
    """Entry point of `selfheal`."""
    with report_errors():
        cli.main(standalone_mode=False)


def engine() -> None:
    """Entry point of `selfheal-engine`."""
    from selfheal.cli.engine import command

    with report_errors():
        command.main(standalone_mode=False)
