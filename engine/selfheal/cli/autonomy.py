"""`selfheal autonomy`: what each rule may do by itself, and why."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from selfheal.cli.answers import os_user
from selfheal.cli.guarding import changing, reason_option, rules_of
from selfheal.cli.output import output_option, print_rows, timestamp
from selfheal.cli.project import opened_record, project_option
from selfheal.config import Project, load_project
from selfheal.model import Autonomy, AutonomyChange, Rule, Ruleset, new_id
from selfheal.ports import Record
from selfheal.yamlfile import did_you_mean


@click.group("autonomy")
def command() -> None:
    """See and set what rules may do by themselves."""


@command.command("list")
@project_option
@output_option
def list_(folder: Path, output: str) -> None:
    """List the rules that heal: what they may do, who changed it, what is proposed."""
    project = load_project(folder)
    with opened_record(project) as record:
        rows = [_row(record, project, *one) for one in rules_of(project) if _heals(one[1])]
    columns = ["ruleset", "rule", "written", "now", "changed_by", "reason", "proposal"]
    print_rows(rows, columns, output)


@command.command("set")
@click.argument("rule")
@click.argument("level", type=click.Choice([one.value for one in Autonomy]))
@click.option("--ruleset", default="", help="Where several rulesets have such a rule.")
@reason_option
@project_option
def set_(rule: str, level: str, ruleset: str, reason: str, folder: Path) -> None:
    """Let RULE do as much as LEVEL from now on.

    It holds until it is set again, or until an engine takes up another `autonomy` of the rule.
    """
    project = load_project(folder)
    where, found = _find(project, rule, ruleset)
    change = AutonomyChange(
        id=new_id("au"),
        ruleset=where.name,
        rule=found.name,
        level=Autonomy(level),
        written=_written(project, found),
        reason=reason,
        who=os_user(),
        at=time.time(),
    )
    with changing(folder) as (record, said):
        record.change_autonomy(change)
        said.append(f"autonomy of {found.name} set to {level} by {change.who}: {reason}")


def _find(project: Project, rule: str, ruleset: str) -> tuple[Ruleset, Rule]:
    known = [one for one in rules_of(project) if not ruleset or one[0].name == ruleset]
    found = [one for one in known if one[1].name == rule]
    if not found:
        hint = did_you_mean(rule, {one.name for _, one in known})
        raise click.UsageError(f"no rule is named {rule!r}; {hint}")
    if len(found) > 1:
        names = ", ".join(where.name for where, _ in found)
        raise click.UsageError(f"several rulesets have {rule!r}: give --ruleset, one of {names}")
    return found[0]


def _row(record: Record, project: Project, ruleset: Ruleset, rule: Rule) -> dict[str, Any]:
    from selfheal.rails import current_level, promotion

    written = _written(project, rule)
    change = record.autonomy(ruleset.name, rule.name)
    proposal = promotion(ruleset.name, rule.name, written, record, project.config.rails)
    return {
        "ruleset": ruleset.name,
        "rule": rule.name,
        "written": written.value,
        "now": current_level(change, written).value,
        "changed_by": "" if change is None else change.who or "the engine",
        "changed": timestamp(change.at if change else None),
        "reason": change.reason if change else "",
        "evidence": dict(change.evidence) if change else {},
        "proposal": proposal.text if proposal else "",
    }


def _written(project: Project, rule: Rule) -> Autonomy:
    return rule.autonomy or project.config.rails.autonomy.default


def _heals(rule: Rule) -> bool:
    return any(action.name == "heal" for action in rule.actions)
