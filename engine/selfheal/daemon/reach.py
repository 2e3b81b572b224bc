"""Whom a rung would touch: the hosts of its steps, as the inventory has them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from selfheal.errors import ExecutionError, TemplateError
from selfheal.model import Attempt, Healing
from selfheal.recovery import LiveVariables
from selfheal.recovery.requests import RequestBuilder

log = logging.getLogger(__name__)


class Inventory(Protocol):
    """What is asked of the inventory; `AnsibleRunner` is one."""

    async def hosts(self, inventory: str = "") -> Collection[str]: ...

    async def hosts_of(self, pattern: str, inventory: str = "") -> Sequence[str]: ...

    async def groups(self, inventory: str = "") -> Mapping[str, frozenset[str]]: ...


@dataclass(frozen=True, slots=True)
class Touched:
    """What one rung would touch."""

    hosts: tuple[str, ...] | None = None
    """Inventory names; empty: its pattern matches none; None: nobody knows."""
    inventory: frozenset[str] = frozenset()
    """Every host; empty: nobody knows."""
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The groups of these hosts, to all their members."""


class Reach:
    """Looks up what rungs would touch."""

    def __init__(self, inventory: Inventory, live: LiveVariables) -> None:
        self._inventory = inventory
        self._live = live

    async def of(self, healing: Healing, rung: int) -> Touched:
        """Return what that rung would touch; an inventory that can't be read leaves it open.

        Whatever is wrong with the inventory or the step is told when the step is to run."""
        source = str(healing.options.get("inventory") or "")
        try:
            everybody = frozenset(await self._inventory.hosts(source))
            if not everybody:
                return Touched()
            hosts = await self._hosts(healing, rung, source)
            groups = await self._inventory.groups(source)
        except (ExecutionError, TemplateError) as error:
            log.info("nobody knows whom %s would touch: %s", healing.id, error)
            return Touched()
        return Touched(hosts, everybody, _of(hosts, groups))

    async def _hosts(self, healing: Healing, rung: int, source: str) -> tuple[str, ...] | None:
        solution = healing.ladder[rung]
        if not solution.steps:
            return None
        planned = Attempt("", healing.id, rung, solution.name, 0.0)
        builder = RequestBuilder(healing, planned, self._inventory.hosts, self._live)
        found: set[str] = set()
        for index in range(len(solution.steps)):
            found.update(
                await self._inventory.hosts_of(await builder.limit(index) or "all", source)
            )
        return tuple(sorted(found))


def _of(
    hosts: tuple[str, ...] | None, groups: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    touched = set(hosts or ())
    return {name: members for name, members in groups.items() if touched & members}
