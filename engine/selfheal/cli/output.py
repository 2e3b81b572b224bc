"""Data on stdout as a table, JSON or YAML; no colour without a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from selfheal.printable import printable

F = TypeVar("F", bound=Callable[..., Any])


def output_option(function: F) -> F:
    """Add `-o/--output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml"]),
        default="table",
        show_default=True,
        help="How to print the data.",
    )(function)


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], output: str) -> None:
    """Print rows; the table shows `columns`, the other forms everything."""
    if output == "table":
        _print_table(rows, columns)
    else:
        print_data(list(rows), output)


def print_data(data: Any, output: str) -> None:
    """Print any JSON-like data as JSON or YAML (also for `table`)."""
    if output == "json":
        echo(_json(data))
        return
    import yaml

    plain = json.loads(json.dumps(data, default=str))
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    if printable(text) != text:
        text = yaml.safe_dump(plain, sort_keys=False)  # every letter beyond ASCII is escaped then
    click.echo(text, nl=False)


def echo(text: str) -> None:
    """Print a line for people or programs; nothing in it can control a terminal."""
    click.echo(printable(text))


def _json(data: Any) -> str:
    """Letters as they are; whatever a terminal could obey is escaped, so that nothing is lost."""
    text = json.dumps(data, indent=2, ensure_ascii=False, default=str)
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text
    )


def _print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    # Without a terminal nothing may be wrapped or cut: another program reads it.
    width = None if sys.stdout.isatty() else 10_000
    Console(width=width, highlight=False).print(table)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}"
    return printable(str(value)).replace("\n", " ").replace("\t", " ")


def plain(noun: Any) -> Any:
    """Return a noun, or a list of them, as plain JSON data."""
    from selfheal.store.codec import to_text

    return json.loads(to_text(noun))


def timestamp(at: float | None) -> str:
    """Return local time with its offset, to the second; empty for None."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).astimezone().isoformat(" ", "seconds")
