"""`python -m selfheal.cli.reference [--check] FILE`: the command line's page, from its own help."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from selfheal.cli import VERBS, cli

INTRODUCTION = """\
# Command line

Written by `scripts/cli-docs` from the commands' own `--help`; a test fails when it is stale.

Data goes to stdout, talk to stderr. `-o json` and `-o yaml` print what a program can read. There is
no colour without a terminal, and never a prompt that a flag can't answer. Every verb works on the
project folder it is called in, on `-p FOLDER`, or on `$SELFHEAL_PROJECT`.

| exit code | |
|---|---|
| 0 | done, and verified |
| 1 | failed, or findings |
| 2 | usage or configuration |
| 10 | refused |
| 11 | needs approval |
| 12 | failed, and rolled back cleanly |
| 13 | rollback failed: a human is needed |
| 130 | interrupted |
"""


def reference() -> str:
    """Return the page."""
    top = _context(cli, "selfheal", None)
    parts = [INTRODUCTION, _block(top)]
    for verb in sorted(VERBS):
        command = cli.get_command(top, verb)
        assert command is not None, verb  # noqa: S101 - VERBS are its own verbs
        parts += [f"## {verb}\n", *_blocks(_context(command, verb, top))]
    return "\n".join(parts)


def _blocks(context: click.Context) -> Iterator[str]:
    yield _block(context)
    if isinstance(context.command, click.Group):
        for name, command in context.command.commands.items():
            yield _block(_context(command, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = command.context_settings
    return click.Context(command, parent, name, terminal_width=90, **settings)


def _block(context: click.Context) -> str:
    return f"```text\n{context.get_help()}\n```\n"


def main() -> None:
    """Write the page, or with --check exit with 1 when the file differs."""
    path = Path(sys.argv[-1])
    if "--check" not in sys.argv:
        path.write_text(reference(), encoding="utf-8")
    elif path.read_text(encoding="utf-8") != reference():
        sys.exit(f"{path} is stale; write it anew with: scripts/cli-docs")


if __name__ == "__main__":
    main()
