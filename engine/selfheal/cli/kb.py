"""`selfheal kb`: the solutions rulebooks bring, and what the record says about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from selfheal.cli.output import output_option, plain, print_data, print_rows, timestamp
from selfheal.cli.project import opened_record, project_option
from selfheal.config import Project, load_project
from selfheal.errors import NotFoundError
from selfheal.model import Solution, SolutionRecord


@click.group("kb")
def command() -> None:
    """Look into the knowledge base of solutions."""


@command.command("list")
@project_option
@output_option
def list_(folder: Path, output: str) -> None:
    """List the solutions the rulebooks bring."""
    rows = [_summary(one, record) for one, record in _solutions(load_project(folder))]
    columns = ["name", "root_cause", "strategy", "risk", "steps", "success_rate", "used"]
    print_rows(rows, columns, output)


@command.command()
@click.argument("name")
@project_option
@output_option
def show(name: str, folder: Path, output: str) -> None:
    """Show one solution with its steps and its record."""
    for solution, record in _solutions(load_project(folder)):
        if solution.name == name:
            print_data({**plain(solution), "record": plain(record)}, output)
            return
    raise NotFoundError(f"no solution is named {name}; see: selfheal kb list")


@command.command()
@project_option
@output_option
def stats(folder: Path, output: str) -> None:
    """Print the record of every solution that was ever used."""
    with opened_record(load_project(folder)) as record:
        rows = [_record_row(one) for one in record.solution_records()]
    print_rows(rows, ["name", "used", "healed", "success_rate", "mttr_s", "last_used"], output)


def _solutions(project: Project) -> list[tuple[Solution, SolutionRecord]]:
    from selfheal.rulebook import load_directory

    books = load_directory(project.rulebooks, playbooks=project.playbooks)
    solutions = [one for book in books for ruleset in book.rulesets for one in ruleset.solutions]
    with opened_record(project) as record:
        return [(one, record.solution_record(one.name)) for one in solutions]


def _summary(solution: Solution, record: SolutionRecord) -> dict[str, Any]:
    return {
        "name": solution.name,
        "root_cause": solution.root_cause,
        "strategy": solution.strategy.value,
        "risk": solution.risk.value,
        "steps": len(solution.steps),
        **{key: value for key, value in _record_row(record).items() if key != "name"},
    }


def _record_row(record: SolutionRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "used": record.usage_count,
        "healed": record.healed,
        "success_rate": record.success_rate,
        "mttr_s": record.mttr,
        "last_used": timestamp(record.last_used),
    }
