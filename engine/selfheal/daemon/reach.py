"""Whom a rung would touch: the hosts of its steps, as the inventory has them."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from selfheal.errors import ExecutionError, NotInstalledError, TemplateError
from selfheal.model import Attempt, Healing, Refusal, Refused, Verdict
from selfheal.recovery import LiveVariables
from selfheal.recovery.requests import RequestBuilder

ASK_AGAIN = 5.0
"""Seconds until an inventory that could not be read is read again."""
PATIENCE = 600.0
"""Seconds of this after which a human is called."""
_UNREADABLE = "the inventory can't be read"


class Inventory(Protocol):
    """What is asked of the inventory; `AnsibleRunner` is one."""

    async def hosts(self, inventory: str = "") -> Collection[str]: ...

    async def hosts_of(self, pattern: str, inventory: str = "") -> Sequence[str]: ...

    async def groups(self, inventory: str = "") -> Mapping[str, frozenset[str]]: ...


@dataclass(frozen=True, slots=True)
class Touched:
    """What one rung would touch."""

    hosts: tuple[str, ...] | None = None
    """Inventory names; empty: its pattern matches none; None: there is no inventory, or nothing
    is run on a host of it."""
    inventory: frozenset[str] = frozenset()
    """Every host; empty: there is no inventory."""
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The groups of these hosts, to all their members."""


class Reach:
    """Looks up what rungs would touch."""

    def __init__(self, inventory: Inventory, live: LiveVariables) -> None:
        self._inventory = inventory
        self._live = live

    async def of(self, healing: Healing, rung: int, now: float) -> Touched | Refused:
        """Return what that rung would touch, or why that can't be told: then it is not run.

        Nobody is known only where there is no inventory, or the solution has no steps."""
        source = str(healing.options.get("inventory") or "")
        try:
            everybody = frozenset(await self._inventory.hosts(source))
            groups = await self._inventory.groups(source)
        except ExecutionError as error:
            return _unreadable(healing, error, now)
        if not everybody or not healing.ladder[rung].steps:
            return Touched(inventory=everybody)
        try:
            hosts = await self._hosts(healing, rung, source, everybody)
        except (ExecutionError, TemplateError) as error:
            name = healing.ladder[rung].name
            detail = f"whom {name} would touch can't be told: {error}"
            return Refused(Refusal.RAIL_FAILED, detail, Verdict.SKIP)
        return Touched(hosts, everybody, _of(hosts, groups))

    async def _hosts(
        self, healing: Healing, rung: int, source: str, everybody: frozenset[str]
    ) -> tuple[str, ...]:
        async def known_hosts(inventory: str) -> frozenset[str]:
            return everybody

        solution = healing.ladder[rung]
        planned = Attempt("", healing.id, rung, solution.name, 0.0)
        builder = RequestBuilder(healing, planned, known_hosts, self._live)
        found: set[str] = set()
        first = max(int(healing.options.get("from_step") or 1), 1) - 1
        for index in range(first, len(solution.steps)):
            limit = await _told(solution.steps[index].name, builder.limit(index))
            found.update(await self._inventory.hosts_of(limit or "all", source))
        return tuple(sorted(found))


async def _told(step: str, limit: Awaitable[str]) -> str:
    """Name the step whose hosts can't be told."""
    try:
        return await limit
    except (ExecutionError, TemplateError) as error:
        raise ExecutionError(f"step {step!r}: {error}") from error


def _unreadable(healing: Healing, error: ExecutionError, now: float) -> Refused:
    detail = f"{_UNREADABLE}: {error}"
    waiting = healing.waiting
    if isinstance(error, NotInstalledError):
        return Refused(Refusal.RAIL_FAILED, detail, Verdict.STOP)
    if waiting and waiting.detail.startswith(_UNREADABLE) and now - waiting.since > PATIENCE:
        return Refused(Refusal.RAIL_FAILED, detail, Verdict.STOP)
    return Refused(Refusal.RAIL_FAILED, detail, Verdict.WAIT, now + ASK_AGAIN)


def _of(hosts: tuple[str, ...], groups: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    touched = set(hosts)
    return {name: members for name, members in groups.items() if touched & members}
