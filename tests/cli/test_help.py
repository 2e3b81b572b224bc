"""Help of every verb, quick to come and true."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from selfheal import __version__
from selfheal.cli import VERBS, cli
from selfheal.cli.reference import reference

from .support import selfheal

HEAVY = ("rich", "pydantic", "sqlite_utils", "aiohttp", "ansible_runner", "jinja2", "networkx")
TOP = click.Context(cli, info_name="selfheal")


def every_command() -> list[tuple[str, ...]]:
    """The words of every verb and of every verb's verbs."""
    found: list[tuple[str, ...]] = []
    for verb in VERBS:
        command = cli.get_command(TOP, verb)
        found.append((verb,))
        if isinstance(command, click.Group):
            found += [(verb, name) for name in command.commands]
    return found


def test_every_verb_is_listed_once_and_true() -> None:
    """The list that spares imports says what each verb says of itself."""
    commands = {verb: cli.get_command(TOP, verb) for verb in VERBS}
    said = {verb: one.get_short_help_str(200) for verb, one in commands.items() if one}
    assert said == VERBS
    assert [one.name for one in commands.values() if one] == list(VERBS)


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_help_of_every_verb(words: tuple[str, ...]) -> None:
    """Each verb explains itself, and each of its options."""
    done = CliRunner().invoke(cli, [*words, "--help"])
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: cli {' '.join(words)} ")
    command: click.Command | None = cli
    for word in words:
        assert isinstance(command, click.Group)
        command = command.get_command(TOP, word)
    assert command
    assert command.help
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert [one.name for one in options if not one.help] == []


def test_help_imports_nothing_heavy() -> None:
    """`selfheal --help` is quick since it loads none of what the verbs need."""
    code = (
        "import sys, json\nsys.argv = ['selfheal', '--help']\nfrom selfheal.cli import main\n"
        "try:\n    main()\nfinally:\n    print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    loaded = set(json.loads(done.stderr))
    assert done.returncode == 0
    assert "run-runbook" in done.stdout
    assert "selfheal.cli" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_page_is_not_stale() -> None:
    """docs/cli.md is what `scripts/cli-docs` writes now."""
    page = Path(__file__).parents[2] / "docs" / "cli.md"
    assert page.read_text() == reference(), "write it anew with: scripts/cli-docs"


def test_version() -> None:
    """The version is the package's."""
    assert selfheal("version").stdout == f"selfheal {__version__}\n"


def test_usage_errors() -> None:
    """What is not understood is said on stderr, with exit code 2."""
    for words in (["dance"], ["runs"], ["runs", "list", "--state", "odd"], ["run-runbook"]):
        done = selfheal(*words)
        assert done.returncode == 2, words
        assert done.stdout == ""
        assert "Usage: " in done.stderr
