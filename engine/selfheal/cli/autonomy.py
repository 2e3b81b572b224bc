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
from selfheal.daemon.lock import holder_of
from selfheal.daemon.telling import heals, written_in_force
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
    on_disk = {
        (ruleset.name, rule.name): _written(project, rule)
        for ruleset, rule in rules_of(project)
        if heals(rule)
    }
    with opened_record(project) as record:
        at_work = holder_of(project.state) is not None
        found = written_in_force(record) if at_work else None
        held = on_disk if found is None else found
        names = dict.fromkeys([*on_disk, *held])
        rows = [_row(record, project, one, on_disk.get(one), held.get(one)) for one in names]
    columns = ["ruleset", "rule", "written", "now", "after_reload", "changed_by", "reason"]
    print_rows(rows, [*columns, "proposal"], output)


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


def _row(
    record: Record,
    project: Project,
    name: tuple[str, str],
    written: Autonomy | None,
    held: Autonomy | None,
) -> dict[str, Any]:
    """One rule: as written on disk (None: not there any more), and as the engine at work took it
    up (None: not yet)."""
    from selfheal.rails import promotion

    change = record.autonomy(*name)
    proposal = promotion(*name, held or written, record, project.config.rails)
    now, later = _now(change, held), _after_reload(change, written)
    return {
        "ruleset": name[0],
        "rule": name[1],
        "written": written.value if written else "",
        "now": now,
        "after_reload": "" if later == now else later,
        "changed_by": "" if change is None else change.who or "the engine",
        "changed": timestamp(change.at if change else None),
        "reason": change.reason if change else "",
        "evidence": dict(change.evidence) if change else {},
        "proposal": proposal.text if proposal else "",
    }


def _now(change: AutonomyChange | None, held: Autonomy | None) -> str:
    from selfheal.rails import current_level

    return "not in force" if held is None else current_level(change, held).value


def _after_reload(change: AutonomyChange | None, written: Autonomy | None) -> str:
    """What holds once an engine has taken up the rulebooks as they are: the later word."""
    if written is None:
        return "not in force"
    return change.level.value if change and change.written is written else written.value


def _written(project: Project, rule: Rule) -> Autonomy:
    return rule.autonomy or project.config.rails.autonomy.default
