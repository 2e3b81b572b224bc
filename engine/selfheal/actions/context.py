"""What an action is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from selfheal.actions.controller import Controller
from selfheal.actions.hosts import hosts_of
from selfheal.actions.locks import Locks
from selfheal.clock import Clock
from selfheal.model import Firing, PlaybookResult
from selfheal.ports import (
    JSON,
    FiringRecord,
    Heal,
    HealingRecord,
    PlaybookRunner,
    Resolve,
    Timeline,
)


class ShutdownKind(Enum):
    """How the engine is to end."""

    GRACEFUL = "graceful"
    """What runs may finish, for `delay` seconds at most."""
    NOW = "now"
    """What runs is ended."""


class ActionStatus(Enum):
    """How an action ended."""

    SUCCESSFUL = "successful"
    """It did what it says."""
    FAILED = "failed"
    """It did not; the message says why. The firing's next action runs all the same."""
    CANCELLED = "cancelled"
    """The engine was told to end meanwhile; the next one takes the action up."""
    UNKNOWN = "unknown"
    """An engine died while it ran, and nobody knows whether it happened: it is not repeated."""


@dataclass(frozen=True, slots=True)
class ActionResult:
    """How one action ended."""

    status: ActionStatus = ActionStatus.SUCCESSFUL
    """Whether it did what it says."""
    message: str = ""
    """Why it failed, in one line."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What the action has to tell besides, such as `rc` or `controller_job_id`; JSON."""
    last: bool = False
    """True after a shutdown: the firing's later actions are not run."""
    action: str = ""
    """The action's name; the dispatcher fills it in."""


async def _nobody(subject: str, body: str, data: JSON) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Services:
    """What all actions of all rulesets work with; made once by the daemon.

    `assert_fact`, `retract_fact`, `post_event` take the name of a ruleset first, and last an
    origin, of which each is taken in once. They raise NotFoundError when there is no ruleset of
    that name; none of them may wait for the firings it causes, for the caller is an action itself.
    """

    runner: PlaybookRunner
    """Runs playbooks and modules."""
    timeline: Timeline
    """Where each action is told."""
    clock: Clock
    """Time."""
    heal: Heal
    """Sees to a fault."""
    resolve: Resolve
    """Notes that a fault is over."""
    assert_fact: Callable[[str, JSON, str], Awaitable[None]]
    """Keep a fact in a ruleset."""
    retract_fact: Callable[[str, JSON, bool, str], Awaitable[None]]
    """Forget facts of a ruleset; the flag says that containing the given one is enough."""
    post_event: Callable[[str, JSON, str], Awaitable[None]]
    """Give a ruleset an event."""
    shutdown: Callable[[ShutdownKind, float, str], Awaitable[None]]
    """Ask the engine to end: kind, seconds, message. Returns before it has."""
    facts: Callable[[str], Sequence[JSON]] = lambda ruleset: ()
    """The facts that stand in a ruleset."""
    out: Callable[[str], None] = print
    """Prints a text, which may have several lines."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """The rulebook's vars."""
    inventory: str = ""
    """Inventory of playbooks and modules; empty: the project's."""
    steps: HealingRecord | None = None
    """Where runs of playbooks and modules are recorded; None: nowhere."""
    controller: Controller | None = None
    """The AWX or AAP that job templates run on."""
    firings: FiringRecord | None = None
    """Where the progress of each firing is kept; None: nowhere, nothing is taken up again."""
    find_artifact: Callable[[str], PlaybookResult | None] = lambda ident: None
    """How a run that an earlier engine began has ended; None when nobody knows."""
    human: Callable[[str, str, JSON], Awaitable[None]] = _nobody
    """Tells a human: subject, text, data."""
    locks: Locks = field(default_factory=Locks)
    """The locks that actions name, over all rulesets."""


@dataclass(frozen=True, slots=True)
class ActionContext:
    """One firing, as its actions see it."""

    firing: Firing
    """What fired."""
    ruleset_hosts: tuple[str, ...]
    """The ruleset's patterns."""
    services: Services
    """The rest of the engine."""
    index: int = 0
    """Which of its rule's actions this is."""
    begun: str = ""
    """Ident of the run that an earlier engine began for it; empty: it begins now."""

    def origin(self, what: str = "") -> str:
        """Where an event or a fact comes from that the action makes: the same when repeated."""
        return ":".join([self.firing.id, str(self.index), what]) if self.firing.id else ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where playbooks run: the hosts its events name, else the ruleset's patterns.

        Raises ActionError when an event names what can't be a host."""
        return hosts_of(self.firing, self.ruleset_hosts)

    @property
    def matches(self) -> JSON:
        """`{"event": …}` for a rule over one event, else `{"events": {alias: …}}`.

        A rule that fires because something is not there has an empty event."""
        found = self.firing.matches
        if not found:
            return {"event": {}}
        return {"event": found["m"]} if set(found) == {"m"} else {"events": found}

    @property
    def variables(self) -> dict[str, Any]:
        """The rulebook's vars and the matches: what ansible-rulebook gives an action."""
        return {**self.services.variables, **self.matches}

    @property
    def template_variables(self) -> dict[str, Any]:
        """What Jinja sees: `variables`, and the same under the names conditions use."""
        matches = {
            name: value
            for kind, value in self.matches.items()
            for name in (kind, kind.replace("event", "fact"))
        }
        return {"vars": self.services.variables, **self.services.variables, **matches}
