"""Healing: the way up the ladder for one incident, and everything that happened on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from selfheal.model.decision import Refusal
from selfheal.model.solution import Solution


class Outcome(Enum):
    """How a healing, or one attempt of it, ended."""

    HEALED = "healed"
    """The validation held."""
    FAILED = "failed"
    """It did not help and there was nothing to undo, or undoing was not wanted."""
    ROLLED_BACK = "rolled_back"
    """It did not help and everything was undone."""
    ROLLBACK_FAILED = "rollback_failed"
    """Undoing failed: a human must look now."""
    REFUSED = "refused"
    """Nothing was run; the decision says why."""
    DENIED = "denied"
    """A human said no."""
    EXPIRED = "expired"
    """Nobody answered in time."""
    UNKNOWN = "unknown"
    """Steps ran but nothing proves or disproves the recovery."""


class HealingState(Enum):
    """Where a healing stands."""

    QUEUED = "queued"
    """Accepted; its resource is busy."""
    RUNNING = "running"
    """The runtime works on it."""
    DONE = "done"
    """It has an outcome."""


class StepKind(Enum):
    """What a recorded playbook run was for."""

    STEP = "step"
    """A step of the runbook."""
    ROLLBACK = "rollback"
    """The undoing of a step."""
    VALIDATION = "validation"
    """A validation of kind `playbook`."""
    ACTION = "action"
    """A `run_playbook` or `run_module` action of a rule: no part of a healing."""


class StepState(Enum):
    """Where a recorded playbook run stands."""

    RUNNING = "running"
    """Intent recorded; the effect may have begun."""
    SUCCESSFUL = "successful"
    """Ansible ended with rc 0."""
    FAILED = "failed"
    """Ansible ended with another rc, or a host was unreachable."""
    TIMEOUT = "timeout"
    """The engine ended it when its time was over."""
    CANCELLED = "cancelled"
    """Somebody stopped it."""
    UNKNOWN = "unknown"
    """The engine died meanwhile and no artifact shows the end."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """One Ansible task on one host."""

    host: str
    """Inventory name."""
    task: str
    """Name of the task."""
    module: str
    """Module that ran, such as `ansible.builtin.command`."""
    status: str
    """`ok`, `changed`, `skipped`, `failed`, `unreachable` or `ignored`."""
    duration: float
    """Seconds."""
    message: str = ""
    """What the module said, when it failed."""
    result: Mapping[str, Any] = field(default_factory=dict)
    """The module's result, empty for `no_log` tasks."""


@dataclass(frozen=True, slots=True)
class PlaybookRequest:
    """Everything needed to run one playbook."""

    ident: str
    """Id of the run, `st-…`; names the artifact folder."""
    playbook: str
    """File in the project's `playbooks/`, or an absolute path."""
    extra_vars: Mapping[str, Any] = field(default_factory=dict)
    """Extra variables, rendered."""
    limit: str = ""
    """Ansible host pattern, rendered; empty: all of the play's hosts."""
    timeout: float = 300.0
    """Seconds."""
    check: bool = False
    """Ansible's check mode."""
    diff: bool = False
    """Ansible's diff mode."""
    inventory: str = ""
    """Inventory path; empty: the project's."""
    verbosity: int = 0
    """0 to 4."""
    module: str = ""
    """Ad-hoc module instead of a playbook (for `run_module`)."""
    module_args: str | Mapping[str, Any] = ""
    """Its arguments: by name, or in the free form that some modules take."""
    host_pattern: str = "all"
    """Hosts for an ad-hoc module."""


@dataclass(frozen=True, slots=True)
class PlaybookResult:
    """How a playbook run ended."""

    ident: str
    """Id of the run."""
    state: StepState
    """Never RUNNING."""
    rc: int | None
    """Exit code of Ansible, None when it never ended by itself."""
    started_at: float
    """Unix time."""
    ended_at: float
    """Unix time."""
    tasks: tuple[TaskResult, ...] = ()
    """In order of completion."""
    stats: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Per host: ok, changed, failures, dark, skipped, rescued, ignored."""
    message: str = ""
    """Why it failed, in one line; empty when it did not."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Facts set by the run (`set_fact` and cacheable facts), of the first host that has some."""


@dataclass(frozen=True, slots=True)
class StepRun:
    """One recorded playbook run."""

    ident: str
    """Id, `st-…`."""
    attempt_id: str
    """The attempt; empty for actions of a rule."""
    kind: StepKind
    """What it was for."""
    index: int
    """Number of the step in its solution."""
    name: str
    """The step's name."""
    playbook: str
    """The file."""
    state: StepState
    """Where it stands."""
    started_at: float
    """Unix time of the recorded intent."""
    ended_at: float | None = None
    """Unix time."""
    rc: int | None = None
    """Exit code of Ansible."""
    message: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Whether one validation held."""

    name: str
    """Such as `http http://…`."""
    ok: bool
    """True when it held for as long as asked."""
    detail: str
    """What was seen last."""
    tries: int
    """How often it was tried."""
    started_at: float
    """Unix time."""
    ended_at: float
    """Unix time."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a healing does not go on just now."""

    reason: Refusal
    """The rail that holds it, LOCKED for a resource, APPROVAL_REQUIRED for a human."""
    detail: str
    """One sentence."""
    since: float
    """Unix time."""
    until: float | None = None
    """Unix time at which it is looked at again; None: when something changes."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One rung, tried."""

    id: str
    """Id, `at-…`."""
    healing_id: str
    """Its healing."""
    rung: int
    """Index into the healing's ladder."""
    solution: str
    """Name of the solution."""
    started_at: float
    """Unix time."""
    ended_at: float | None = None
    """Unix time."""
    outcome: Outcome | None = None
    """None while under way."""
    steps: tuple[StepRun, ...] = ()
    """Steps and rollbacks in order of start."""
    validations: tuple[ValidationResult, ...] | None = None
    """None until validated."""
    batch: int = 0
    """Which batch of a canary rollout, counted from 0."""
    hosts: tuple[str, ...] = ()
    """The hosts of the batch; empty: no canary, all that the steps say."""
    reason: str = ""
    """One sentence on the outcome, where the steps and validations don't tell it."""
    validating_since: float | None = None
    """Unix time at which its validation began; a restart of the engine does not set it back."""


@dataclass(frozen=True, slots=True)
class Healing:
    """The plan for one incident, as data, and how far it has come."""

    id: str
    """Id, `he-…`."""
    incident_id: str
    """The incident; empty for `run-runbook`."""
    fault_id: str
    """The fault; empty for `run-runbook`."""
    resource: str
    """What it works on, for people; what is locked meanwhile is in `locks`."""
    state: HealingState
    """Where it stands."""
    ladder: tuple[Solution, ...]
    """The rungs, frozen when it was accepted: a later rulebook edit does not touch it."""
    context: Mapping[str, Any]
    """What Jinja sees: target, component, fault, event, vars."""
    created_at: float
    """Unix time."""
    started_at: float | None = None
    """Unix time."""
    ended_at: float | None = None
    """Unix time."""
    outcome: Outcome | None = None
    """None until done."""
    reason: str = ""
    """One sentence on the outcome."""
    stop_requested: str = ""
    """Who asked to stop, and why; empty when nobody did."""
    origin: str = "engine"
    """`engine`, or `operator` for `run-runbook`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of `run-runbook`: check, diff, from_step, limit, inventory, extra_vars."""
    attempts: tuple[Attempt, ...] = ()
    """In order."""
    locks: tuple[str, ...] = ()
    """Every resource that is locked while it runs, sorted: `host:web1`, `haproxy:web`."""
    waiting: Waiting | None = None
    """What holds it up; None while it goes on."""
