"""`selfheal run-runbook`: run one solution's runbook by hand."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from selfheal.cli.answers import os_user
from selfheal.cli.exits import Exit
from selfheal.cli.output import echo, timestamp
from selfheal.cli.project import opened_record, project_option
from selfheal.config import Project, load_project
from selfheal.exit_codes import INTERRUPTED, NEEDS_APPROVAL, OK, OUTCOME_EXITS
from selfheal.model import Entry, Outcome

if TYPE_CHECKING:
    from selfheal.daemon.by_hand import ByHand
    from selfheal.masking import Secrets


@click.command("run-runbook")
@click.argument("name")
@click.option("-l", "--limit", default="", metavar="HOST", help="Run on these hosts only.")
@click.option("-t", "--target", default="", help="What the runbook calls target. [default: HOST]")
@click.option(
    "-e", "--extra-vars", multiple=True, metavar="K=V", help="Extra variable, JSON, or @FILE."
)
@click.option("-i", "--inventory", default="", help="Another inventory than the project's.")
@click.option("--dry-run", is_flag=True, help="Show the plan, touch nothing.")
@click.option("--check", is_flag=True, help="Ansible's check mode: tell what would change.")
@click.option("--diff", is_flag=True, help="Show what changes in files.")
@click.option("--from-step", default=1, show_default=True, help="Begin at this step.")
@click.option("--wait", is_flag=True, help="Wait for rails, and for work of others, to let it.")
@click.option("--override", default="", metavar="WHY", help="Let no rail bind it; goes on record.")
@click.option("-y", "--yes", is_flag=True, help="Approve a runbook of high risk.")
@click.option("--as", "who", default="", metavar="NAME", help="Who runs it. [default: the user]")
@project_option
def command(
    name: str,
    limit: str,
    target: str,
    extra_vars: tuple[str, ...],
    inventory: str,
    dry_run: bool,
    check: bool,
    diff: bool,
    from_step: int,
    wait: bool,
    override: str,
    yes: bool,
    who: str,
    folder: Path,
) -> None:
    """Run one solution's runbook by hand.

    Runs the steps of the solution NAME, its validation, and on failure its rollback. Exit code
    0: healed (or, with --check, the steps ended well). 1: failed, or nothing proves the
    recovery. 10: a rail refused it, or somebody else works on the same resource (see --wait and
    --override). 11: needs --yes, or the yes of an approver (see --as, and approve --ahead). 12:
    failed and rolled back. 13: the rollback failed, too. 130: interrupted, and what ran was rolled
    back.
    """
    from selfheal.approvals import is_asked_about
    from selfheal.daemon.by_hand import ByHand, find_solution
    from selfheal.daemon.masked_output import mask_process
    from selfheal.masking import Secrets

    if override and not override.strip():
        raise click.UsageError("--override: say why; it goes on record")
    secrets = Secrets()
    mask_process(secrets)
    project = load_project(folder)
    solution = find_solution(project, name, secrets)
    if not 1 <= from_step <= len(solution.steps):
        raise click.UsageError(f"--from-step: {name} has the steps 1 to {len(solution.steps)}")
    wanted = ByHand(
        solution=solution,
        target=target,
        limit=limit,
        inventory=inventory,
        variables=_variables(extra_vars, secrets),
        secrets=secrets,
        check=check,
        diff=diff,
        from_step=from_step,
        override=override,
        who=who.strip() or os_user(),
        typed_by=os_user(),
    )
    if dry_run:
        _show_plan(wanted)
        return
    if is_asked_about(solution, project.config.approval) and not (yes or check):
        _ask(name, solution.risk.value)
    raise Exit(_run(project, wanted, wait))


def _run(project: Project, wanted: ByHand, wait: bool) -> int:
    from selfheal.daemon.by_hand import run_by_hand

    with opened_record(project, wanted.secrets) as record:
        work = run_by_hand(project, record, wanted, time.time(), _show, wait=wait)
        healing, interrupted = asyncio.run(work)
    outcome = healing.outcome or Outcome.UNKNOWN
    click.echo(f"{outcome.value}: {healing.reason} ({healing.id})", err=True)
    if interrupted and outcome is not Outcome.ROLLBACK_FAILED:
        return INTERRUPTED
    if wanted.check and outcome is Outcome.UNKNOWN:
        return OK  # nothing can be proven in check mode; the steps ended well
    return OUTCOME_EXITS[outcome]


def _show(entry: Entry) -> None:
    echo(f"{timestamp(entry.at)}  {entry.kind.value:<12} {entry.text}")


def _show_plan(wanted: ByHand) -> None:
    solution = wanted.solution
    echo(f"{solution.name}: {solution.strategy.value}, risk {solution.risk.value}")
    for number, step in enumerate(solution.steps, 1):
        if number < wanted.from_step:
            continue
        hosts = step.limit or wanted.limit or ", ".join(solution.hosts)
        echo(f"step {number}: {step.name}: {step.playbook} on {hosts}")
        echo(f"    rollback: {step.rollback or 'none'}")
        if step.vars:
            echo(f"    vars: {json.dumps(dict(step.vars), default=str)}")
    for validation in solution.validate:
        args = json.dumps(dict(validation.args), default=str)
        echo(f"validate: {validation.kind} {args}")
    if not solution.validate:
        echo("validate: nothing; the outcome can only be unknown")


def _ask(name: str, risk: str) -> None:
    """A human decides; without a terminal the flag is the only way."""
    if sys.stdin.isatty() and click.confirm(f"{name} is of {risk} risk. Run it?", err=True):
        return
    click.echo(f"{name} is of {risk} risk: not run without --yes", err=True)
    raise Exit(NEEDS_APPROVAL)


def _variables(pairs: tuple[str, ...], secrets: Secrets) -> dict[str, Any]:
    """Return the variables; those whose names say that they are secret are learned."""
    from selfheal.daemon.known_secrets import learn_arguments
    from selfheal.daemon.options import read_variables
    from selfheal.daemon.vault import Vault

    found: dict[str, Any] = {}
    for pair in pairs:
        if pair.startswith("@"):
            found.update(read_variables([Path(pair[1:])], [], Vault(secrets=secrets), secrets))
            continue
        if pair.lstrip().startswith("{"):
            try:
                found.update(json.loads(pair))
            except ValueError as error:
                raise click.UsageError(f"-e: not JSON: {error}") from error
            continue
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise click.UsageError(f"-e {key}: write NAME=VALUE, a JSON object or @FILE")
        found[key] = value
    learn_arguments(secrets, found, "-e")
    return found
