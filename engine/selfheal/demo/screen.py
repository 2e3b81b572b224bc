"""What the demo prints: rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from selfheal.duration import format_duration
from selfheal.model import Entry, Kind, SolutionRecord

_STYLES = {
    Kind.EVENT: "yellow",
    Kind.RULE: "yellow",
    Kind.FAULT: "bold red",
    Kind.DECISION: "bold magenta",
    Kind.HEALING: "bold",
    Kind.ATTEMPT: "cyan",
    Kind.STEP: "blue",
    Kind.TASK: "dim",
    Kind.VALIDATION: "green",
    Kind.NOTIFICATION: "bold red",
}


class Screen:
    """Prints one line for each thing that happens."""

    def __init__(self, *, plain: bool = False) -> None:
        rich_lines = sys.stdout.isatty() and not plain
        # Soft wrapping: a line is a line, whatever reads it.
        self._console = Console(
            highlight=False, no_color=not rich_lines, force_terminal=rich_lines, soft_wrap=True
        )
        self._began: float | None = None

    def act(self, title: str) -> None:
        """Announce an act."""
        self._console.print()
        self._console.print(Text(title, style="bold underline"))

    def say(self, text: str) -> None:
        """Say something of the demo itself."""
        self._console.print(Text(f"      {text}", style="italic"))

    def fail(self, text: str) -> None:
        """Say what went wrong."""
        Console(stderr=True, highlight=False, soft_wrap=True).print(Text(f"error: {text}"))

    def entry(self, entry: Entry) -> None:
        """Show one line of the engine's timeline, with seconds since the first."""
        if self._began is None:
            self._began = entry.at
        stamp = f"{entry.at - self._began:6.2f}s"
        line = Text(f"{stamp}  {entry.kind.value:<12} ")
        line.append(entry.text, style=_STYLES.get(entry.kind, ""))
        self._console.print(line)
        for reason in entry.data.get("reasoning", ()):
            self._console.print(Text(f"{'':21} because {reason}", style="magenta"))

    def verdict(self, healed: bool, seconds: float) -> None:
        """Close an act."""
        took = f"{format_duration(seconds)} from fault to healed"
        mark = Text(f"HEALED in {took}", style="bold green") if healed else Text("NOT HEALED")
        self._console.print(mark)

    def show_record(self, records: Iterable[SolutionRecord]) -> None:
        """Print what the record now says about each solution."""
        from rich.table import Table

        self._console.print()
        table = Table(title="The record: what each solution is worth", title_justify="left")
        for column in ("solution", "used", "healed", "success rate", "MTTR"):
            table.add_column(column)
        for one in records:
            rate = "-" if one.success_rate is None else f"{one.success_rate:.0%}"
            mttr = "-" if one.mttr is None else format_duration(one.mttr)
            table.add_row(one.name, str(one.usage_count), str(one.healed), rate, mttr)
        self._console.print(table)
