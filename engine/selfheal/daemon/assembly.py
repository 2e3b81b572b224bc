"""The stages of one engine, put together on one record."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from selfheal.actions import Services, ShutdownKind, controller_from_env
from selfheal.approvals import Approvals, Links, load_key
from selfheal.clock import Clock
from selfheal.config import Project
from selfheal.daemon.current import Current
from selfheal.daemon.echo import Echoes
from selfheal.daemon.gate import DecisionGate
from selfheal.daemon.healer import Healer
from selfheal.daemon.known_secrets import learn_read
from selfheal.daemon.leases import death_of_holders, engine_holder
from selfheal.daemon.masked_output import MaskedNotifier
from selfheal.daemon.reach import Reach
from selfheal.daemon.watchers import Watchers
from selfheal.masking import Secrets
from selfheal.model import Outcome
from selfheal.notification import build_notifier
from selfheal.notification.for_person import nothing_extra
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
        self._project, self._config = project, project.config
        self._record, self._current, self._secrets = record, current, secrets
        self._clock, self._hooks = clock, hooks
        self._live = LiveVariables(project.config.vars)
        self.links = _links(project)
        self.notifier = _notifier(project, record, secrets, clock, self.links)
        self.runner = AnsibleRunner(
            project.root,
            project.state,
            playbooks=project.playbooks,
            inventory=project.inventory,
            inventory_required=project.names_inventory,
            clock=clock,
            mask=secrets.mask,
        )
        self.approvals = Approvals(record, current.approval, clock, self.notifier.notify)
        self.gate = self._gate()
        self.watchers = self._watchers()
        self.healer = self._healer()
        self.runtime = self._runtime()
        self.services = self._services()

    def _gate(self) -> DecisionGate:
        url = self._config.prometheus_url
        return DecisionGate(
            self._record,
            rails=lambda: self._current.rails,
            policy=lambda: self._current.policy,
            approvals=self.approvals,
            reach=Reach(self.runner, self._live),
            echoes=Echoes(self._record, lambda: self._current.rails, self._live, url, self._clock),
            rule_of=self._current.rule,
            clock=self._clock,
        )

    def _watchers(self) -> Watchers:
        return Watchers(
            self._record,
            lambda: self._current.rails,
            self.runner,
            self.notifier,
            self._current.rule,
            self._clock,
            self.gate.changed.set,
        )

    def _healer(self) -> Healer:
        return Healer(
            self._record,
            runtime=lambda: self.runtime,
            notifier=self.notifier,
            solutions=lambda: self._current.edition.solutions,
            # A healing is recorded with its variables, so it gets none that are secret.
            variables=lambda: self._secrets.without_secrets(self._config.vars),
            gate=self.gate,
            watchers=self.watchers,
            clock=self._clock,
            on_end=self._hooks.on_end,
        )

    def _runtime(self) -> SqliteRuntime:
        return SqliteRuntime(
            self._record,
            self.runner,
            clock=self._clock,
            max_parallel=self._config.max_parallel,
            gate=self.gate,
            on_done=self.healer.on_done,
            known_hosts=self.runner.hosts,
            hosts_of=self.runner.hosts_of,
            prometheus_url=self._config.prometheus_url,
            live=self._live,
            holder=engine_holder(),
            is_dead=death_of_holders(self._project.state, self._clock),
        )

    def _services(self) -> Services:
        current, inventory = self._current, self._project.inventory
        return Services(
            runner=self.runner,
            timeline=self._record,
            clock=self._clock,
            heal=self.healer.heal,
            resolve=self.healer.resolve,
            assert_fact=lambda name, *given: current.rulesets.loop(name).assert_fact(*given),
            retract_fact=lambda name, *given: current.rulesets.loop(name).retract_fact(*given),
            post_event=lambda name, *given: current.rulesets.loop(name).post(*given),
            shutdown=self._hooks.shutdown,
            facts=lambda name: current.rulesets.facts(name),
            out=lambda text: self._hooks.out(self._secrets.mask(text)),
            variables=self._config.vars,
            inventory=str(inventory) if inventory.exists() else "",
            steps=self._record,
            firings=self._record,
            find_artifact=self.runner.find_artifact,
            human=self.notifier.notify,
            controller=controller_from_env(os.environ),
        )


def _notifier(
    project: Project, record: Record, secrets: Secrets, clock: Clock, links: Links | None
) -> MaskedNotifier:
    extra = links.text if links else nothing_extra
    learn = partial(learn_read, secrets, place="notify")
    config, root = project.config.notify, project.root
    notifier = build_notifier(config, record, clock, root, extra=extra, learn=learn)
    return MaskedNotifier(notifier, secrets)


def _links(project: Project) -> Links | None:
    """Links lead to the API; without one there is nowhere to lead to."""
    if (api := project.config.api) is None:
        return None
    return Links(load_key(project.state, os.environ), api.base_url)
