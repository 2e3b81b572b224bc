"""A runbook run by an operator: the same recovery, without a fault."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from selfheal.clock import SystemClock
from selfheal.config import Project
from selfheal.daemon.by_hand_gate import ByHandGate
from selfheal.daemon.leases import by_hand_holder, death_of_holders, lease, reclaim
from selfheal.daemon.loading import load_edition
from selfheal.daemon.options import Options
from selfheal.daemon.reach import Reach
from selfheal.errors import ExecutionError, NotFoundError
from selfheal.masking import Secrets
from selfheal.model import (
    Entry,
    Healing,
    HealingState,
    Solution,
    new_id,
)
from selfheal.ports import Record
from selfheal.recovery import (
    AnsibleRunner,
    LiveVariables,
    SqliteRuntime,
    locks_of,
)

POLL_SECONDS = 0.05
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ByHand:
    """What the operator asked for."""

    solution: Solution
    """Whose runbook is run."""
    target: str = ""
    """What Jinja calls `target`; also the resource that is locked."""
    limit: str = ""
    """Ansible host pattern that narrows every step."""
    inventory: str = ""
    """Another inventory than the project's."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Extra variables."""
    secrets: Secrets = field(default_factory=Secrets)
    """What of the variables is not to be seen or recorded."""
    check: bool = False
    """Ansible's check mode: nothing is changed, validated or rolled back."""
    diff: bool = False
    """Ansible's diff mode."""
    from_step: int = 1
    """Number of the first step to run, counted from 1."""
    who: str = ""
    """The person, for the record; their yes counts where one is needed."""
    typed_by: str = ""
    """The user who typed it in for them."""
    override: str = ""
    """Why no rail binds this run; empty: those that bind operators do."""

    def healing(self, project: Project, now: float) -> Healing:
        """Return the healing to submit."""
        given = self.secrets.without_secrets(self.variables)
        variables = self.secrets.without_secrets({**project.config.vars, **self.variables})
        options = {
            "check": self.check,
            "diff": self.diff,
            "from_step": self.from_step,
            "limit": self.limit,
            "inventory": self.inventory,
            "extra_vars": given,
            "who": self.who,
            "typed_by": self.typed_by if self.typed_by != self.who else "",
            "override": self.override,
        }
        target = self.target or self.limit
        return Healing(
            id=new_id("he"),
            incident_id="",
            fault_id="",
            resource=target or self.solution.name,
            state=HealingState.QUEUED,
            ladder=(self.solution,),
            context={**variables, "vars": variables, "target": target, "component": ""},
            created_at=now,
            origin="operator",
            options={key: value for key, value in options.items() if value},
        )


def find_solution(project: Project, name: str, secrets: Secrets) -> Solution:
    """Return the solution called `name` from the project's rulebooks; learn what is secret.

    Raises NotFoundError, or RulebookError when the rulebooks are wrong.
    """
    solutions = {
        one.name: one for one in load_edition(project, options=Options(secrets=secrets)).solutions
    }
    if name not in solutions:
        known = ", ".join(sorted(solutions)) or "none"
        raise NotFoundError(f"no solution is named {name!r}; there are: {known}")
    return solutions[name]


async def run_by_hand(
    project: Project,
    record: Record,
    wanted: ByHand,
    now: float,
    show: Callable[[Entry], None],
    *,
    wait: bool = False,
) -> tuple[Healing, bool]:
    """Run the runbook to its end, showing its story; return the healing, and True if interrupted.

    When a rail stands in the way, or somebody else works on what it would work on, it is refused,
    or waits with `wait`; it is denied where a yes is missing. The first SIGINT or SIGTERM stops it
    as a message: the running step is ended, what ran is rolled back. Runs whose process has died
    are ended first.
    """
    runner = AnsibleRunner(
        project.root,
        project.state,
        playbooks=project.playbooks,
        inventory=project.inventory,
        inventory_required=project.names_inventory,
        mask=wanted.secrets.mask,
    )
    for ident in reclaim(record, project.state, now):
        await runner.end_processes(ident)
    healing = wanted.healing(project, now)
    healing = replace(healing, locks=await _locks(wanted, healing, runner))
    with lease(project.state, healing.id):
        return await _run(project, record, runner, healing, wanted, show, wait)


async def _locks(wanted: ByHand, healing: Healing, runner: AnsibleRunner) -> tuple[str, ...]:
    """Return what the run locks: its target, and each host that it is limited to."""
    pattern = wanted.limit or ("" if wanted.target else ",".join(wanted.solution.hosts))
    hosts: tuple[str, ...] = ()
    if pattern in ("all", "*"):
        hosts = ("*",)
    elif pattern:
        try:
            hosts = await runner.hosts_of(pattern, wanted.inventory)
        except ExecutionError:
            hosts = ("*",)  # in doubt all of them; the run itself will say what is wrong
    return locks_of(healing.ladder, healing.context, hosts)


async def _run(
    project: Project,
    record: Record,
    runner: AnsibleRunner,
    healing: Healing,
    wanted: ByHand,
    show: Callable[[Entry], None],
    wait: bool,
) -> tuple[Healing, bool]:
    is_dead = death_of_holders(project.state, SystemClock())
    live = LiveVariables({**project.config.vars, **wanted.variables}, wanted.variables)
    config, reach = project.config, Reach(runner, live)
    gate = ByHandGate(record, config.rails, config.approval, reach, is_dead, wait=wait)
    runtime = SqliteRuntime(
        record,
        runner,
        gate=gate,
        known_hosts=runner.hosts,
        hosts_of=runner.hosts_of,
        prometheus_url=project.config.prometheus_url,
        live=live,
        poll=POLL_SECONDS,
        holder=by_hand_holder(),
        is_dead=is_dead,
    )
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    await runtime.submit(healing)
    helpers = [
        asyncio.create_task(_stop_when(interrupted, runtime, healing.id)),
        asyncio.create_task(_look_again(gate)),
    ]
    seen = 0
    try:
        finished = asyncio.create_task(runtime.finished(healing.id))
        while True:
            done = finished.done()
            for entry in record.entries(after=seen, healing_id=healing.id):
                seen = entry.seq
                show(entry)
            if done:
                return await finished, interrupted.is_set()
            await asyncio.wait({finished}, timeout=POLL_SECONDS)
    finally:
        for helper in helpers:
            helper.cancel()
        await runtime.abort()
        # What it held up, in an engine or another run by hand, may go on.
        record.post("rails_changed", {"what": [f"{healing.id} has ended"]}, SystemClock().now())
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _look_again(gate: ByHandGate) -> None:
    """Nobody tells a run by hand that a pause was lifted: it looks."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        gate.changed.set()


async def _stop_when(asked: asyncio.Event, runtime: SqliteRuntime, healing_id: str) -> None:
    await asked.wait()
    await runtime.stop(healing_id, "the operator interrupted it")
