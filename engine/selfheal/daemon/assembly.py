"""The stages of one engine, put together on one record."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from selfheal.actions import Services, ShutdownKind, controller_from_env
from selfheal.approvals import Approvals, Links, load_key
from selfheal.clock import Clock
from selfheal.config import Project
from selfheal.daemon.current import Current
from selfheal.daemon.gate import DecisionGate
from selfheal.daemon.healer import Healer
from selfheal.daemon.leases import death_of_holders, engine_holder
from selfheal.daemon.masked_output import MaskedNotifier
from selfheal.daemon.reach import Reach
from selfheal.daemon.watchers import Watchers
from selfheal.decision import Policy
from selfheal.masking import Secrets
from selfheal.model import Outcome
from selfheal.notification import build_notifier
from selfheal.ports import Record
from selfheal.recovery import AnsibleRunner, LiveVariables, SqliteRuntime


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the stages want of the engine itself."""

    out: Callable[[str], None]
    """Print a text of an action."""
    on_end: Callable[[Outcome], None]
    """An incident has ended."""
    shutdown: Callable[[ShutdownKind, float, str], Awaitable[None]]
    """A rule asks the engine to end."""


class Stages:
    """What one engine is made of, beside its rulesets; built in the order of dependence."""

    def __init__(
        self,
        project: Project,
        record: Record,
        current: Current,
        secrets: Secrets,
        clock: Clock,
        hooks: Hooks,
    ) -> None:
        """Raises ConfigError for a secret or a key that can't be read."""
        config = project.config
        live = LiveVariables(config.vars)
        policy = Policy(config.approval.risk, config.approval.confidence)
        self.links = _links(project)
        self.notifier = _notifier(project, record, secrets, clock, self.links)
        self.runner = AnsibleRunner(
            project.root,
            project.state,
            playbooks=project.playbooks,
            inventory=project.inventory,
            clock=clock,
            mask=secrets.mask,
        )
        self.approvals = Approvals(record, config.approval, clock, self.notifier.notify)
        self.gate = DecisionGate(
            record,
            rails=config.rails,
            policy=policy,
            approvals=self.approvals,
            reach=Reach(self.runner, live),
            rule_of=current.rule,
            clock=clock,
        )
        self.watchers = Watchers(
            record,
            config.rails,
            self.runner,
            self.notifier,
            current.rule,
            clock,
            self.gate.changed.set,
        )
        self.healer = Healer(
            record,
            runtime=lambda: self.runtime,
            notifier=self.notifier,
            solutions=lambda: current.edition.solutions,
            # A healing is recorded with its variables, so it gets none that are secret.
            variables=lambda: secrets.without_secrets(config.vars),
            gate=self.gate,
            watchers=self.watchers,
            clock=clock,
            on_end=hooks.on_end,
        )
        self.runtime = SqliteRuntime(
            record,
            self.runner,
            clock=clock,
            max_parallel=config.max_parallel,
            gate=self.gate,
            on_done=self.healer.on_done,
            known_hosts=self.runner.hosts,
            hosts_of=self.runner.hosts_of,
            prometheus_url=config.prometheus_url,
            live=live,
            holder=engine_holder(),
            is_dead=death_of_holders(project.state, clock),
        )
        self.services = self._services(project, record, current, secrets, clock, hooks)

    def _services(
        self,
        project: Project,
        record: Record,
        current: Current,
        secrets: Secrets,
        clock: Clock,
        hooks: Hooks,
    ) -> Services:
        return Services(
            runner=self.runner,
            timeline=record,
            clock=clock,
            heal=self.healer.heal,
            resolve=self.healer.resolve,
            assert_fact=lambda name, *given: current.rulesets.loop(name).assert_fact(*given),
            retract_fact=lambda name, *given: current.rulesets.loop(name).retract_fact(*given),
            post_event=lambda name, *given: current.rulesets.loop(name).post(*given),
            shutdown=hooks.shutdown,
            facts=lambda name: current.rulesets.facts(name),
            out=lambda text: hooks.out(secrets.mask(text)),
            variables=project.config.vars,
            inventory=str(project.inventory) if project.inventory.exists() else "",
            steps=record,
            firings=record,
            find_artifact=self.runner.find_artifact,
            human=self.notifier.notify,
            controller=controller_from_env(os.environ),
        )


def _notifier(
    project: Project, record: Record, secrets: Secrets, clock: Clock, links: Links | None
) -> MaskedNotifier:
    extra = {"extra": links.text} if links else {}
    notifier = build_notifier(project.config.notify, record, clock, project.root, **extra)
    return MaskedNotifier(notifier, secrets)


def _links(project: Project) -> Links | None:
    """Links lead to the API; without one there is nowhere to lead to."""
    if (api := project.config.api) is None:
        return None
    return Links(load_key(project.state, os.environ), api.base_url)
