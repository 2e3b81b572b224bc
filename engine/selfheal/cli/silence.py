"""`selfheal silence`: leave alone what matches, for a time."""

from __future__ import annotations

import time
from pathlib import Path

import click

from selfheal.cli.answers import os_user
from selfheal.cli.guarding import changing, matchers_of, reason_option
from selfheal.cli.output import output_option, print_rows, timestamp
from selfheal.cli.project import opened_record, project_option
from selfheal.cli.spans import begin_and_end, row_of, start_and_span_options
from selfheal.config import load_project
from selfheal.model import LabelMatcher, Silence, new_id


@click.group("silence")
def command() -> None:
    """Leave alone what matches, for a time."""


@command.command()
@click.argument("matchers", nargs=-1, required=True)
@reason_option
@start_and_span_options
@project_option
def add(
    matchers: tuple[str, ...],
    reason: str,
    start: str | None,
    span: str | None,
    until: str | None,
    folder: Path,
) -> None:
    """Silence what all MATCHERS fit, such as 'component="db"' or 'target=~"web.*"'.

    Names are type, severity, component, target, ruleset, rule, solution, or a label. Whatever
    would begin meanwhile waits: healings, further rungs, batches. Rolling back goes on.
    """
    found = matchers_of(matchers)
    _refuse_everything(found)
    now = time.time()
    begin, end = begin_and_end(now, start, span, until)
    silence = Silence(new_id("si"), found, begin, end, reason, os_user(), now)
    with changing(folder) as (record, said):
        record.add_silence(silence)
        what = ", ".join(map(str, found))
        said.append(f"silenced until {timestamp(end)} by {silence.who} ({what}): {reason}")
    click.echo(silence.id)


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@project_option
@output_option
def list_(everything: bool, folder: Path, output: str) -> None:
    """List silences that hold or will."""
    now = time.time()
    with opened_record(load_project(folder)) as record:
        found = record.silences(0.0 if everything else now)
    rows = [row_of(one, now) for one in found]
    print_rows(rows, ["id", "state", "matchers", "ends", "who", "reason"], output)


@command.command()
@click.argument("silence_id", metavar="ID")
@project_option
def expire(silence_id: str, folder: Path) -> None:
    """Let a silence end now."""
    with changing(folder) as (record, said):
        record.end_silence(silence_id, time.time())
        said.append(f"silence {silence_id} expired by {os_user()}")


def _refuse_everything(matchers: tuple[LabelMatcher, ...]) -> None:
    """As Alertmanager does: one that fits where no label is there is most likely a mistake."""
    from selfheal.rails.labels import fits

    if fits(matchers, {}):
        raise click.UsageError(
            "at least one matcher must not fit the empty text: this silences everything; "
            "if you mean that: selfheal pause"
        )
