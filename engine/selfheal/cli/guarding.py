"""What the verbs that guard share: who, until when, and telling the engine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from selfheal.cli.project import record_to_change
from selfheal.config import Project, load_project
from selfheal.duration import parse_duration
from selfheal.errors import ConditionError, DurationError, InputError
from selfheal.model import Kind, LabelMatcher, Rule, Ruleset
from selfheal.ports import Record
from selfheal.yamlfile import did_you_mean

F = TypeVar("F", bound=Callable[..., Any])


def reason_option(function: F) -> F:
    """Add `-m/--reason`, which must be given: whoever finds it later wants to know."""
    return click.option("-m", "--reason", required=True, help="Why; whoever finds it will ask.")(
        function
    )


def span_options(function: F) -> F:
    """Add `--for` and `--until`, of which one is given."""
    for_ = click.option("--for", "span", help="For so long, such as 2h.")
    until = click.option("--until", help="Until then, such as 2026-12-24T06:00 (local time).")
    return for_(until(function))


def instant(text: str) -> float:
    """Return the Unix time that an ISO 8601 text means; local time when it names no zone."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        message = f"{text!r} is no time; write one such as 2026-12-24T06:00"
        raise click.UsageError(message) from error


def end_of(start: float, span: str | None, until: str | None) -> float | None:
    """Return the Unix time at which it ends; None when neither option was given."""
    if span is not None and until is not None:
        raise click.UsageError("give --for or --until, not both")
    if span is None and until is None:
        return None
    try:
        end = start + parse_duration(span) if span is not None else instant(until or "")
    except DurationError as error:
        raise click.UsageError(f"--for: {error}") from error
    if end <= max(start, time.time()):
        raise click.UsageError("it would be over before it begins, or is over already")
    return end


def needed_end(start: float, span: str | None, until: str | None) -> float:
    """The same, where it can't go on for ever."""
    end = end_of(start, span, until)
    if end is None:
        raise click.UsageError("for how long? give --for 2h, or --until a time")
    return end


def matchers_of(texts: tuple[str, ...]) -> tuple[LabelMatcher, ...]:
    """Return the matchers, each as Alertmanager writes it."""
    from selfheal.config.matchers import parse_matcher

    try:
        return tuple(parse_matcher(text) for text in texts)
    except ConditionError as error:
        hint = f"; {error.hint}" if error.hint else ""
        raise click.UsageError(f"the matcher {error.message}{hint}") from error


@contextlib.contextmanager
def changing(folder: Path) -> Iterator[tuple[Record, list[str]]]:
    """Open the record for one change; the lines put into the list are its story.

    Change, story and the message that wakes the engine are on disk together, or not at all."""
    with record_to_change(folder) as record, record.transaction():
        said: list[str] = []
        yield record, said
        for text in said:
            record.tell(Kind.RAIL, text)
        record.post("rails_changed", {"what": said}, time.time())


def rules_of(project: Project) -> list[tuple[Ruleset, Rule]]:
    """Return the rules of the project's rulebooks. Raises RulebookError."""
    from selfheal.rulebook import load_directory

    books = load_directory(
        project.rulebooks, playbooks=project.playbooks, variables=project.config.vars
    )
    sets = [one for book in books for one in book.rulesets]
    return [(ruleset, rule) for ruleset in sets for rule in ruleset.rules]


def check_name(folder: Path, noun: str, name: str) -> None:
    """Refuse the name of a rule or solution that no rulebook has: a typo would hold nothing.

    Rulebooks that can't be read are no reason to let the engine go on: then any name is taken."""
    project = load_project(folder)
    try:
        found = rules_of(project)
    except InputError:
        click.echo(f"warning: the rulebooks are wrong, so {noun} {name!r} is unproven", err=True)
        return
    known = {rule.name for _, rule in found} if noun == "rule" else _solutions(project)
    if name not in known:
        raise click.UsageError(f"no {noun} is named {name!r}; {did_you_mean(name, known)}")


def _solutions(project: Project) -> set[str]:
    from selfheal.rulebook import load_directory

    books = load_directory(project.rulebooks, playbooks=project.playbooks)
    return {one.name for book in books for ruleset in book.rulesets for one in ruleset.solutions}
