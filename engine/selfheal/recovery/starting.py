"""Starting a healing on record: with all its locks and its story, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from enum import Enum

from selfheal.clock import Clock
from selfheal.model import Healing
from selfheal.ports import Lease, Record
from selfheal.recovery.resources import needed_by
from selfheal.recovery.story import Story

Rollout = Callable[[Healing], Awaitable[Collection[str]]]
"""Return the hosts that a healing would touch in batches: they are locked with the others."""


async def no_rollout(healing: Healing) -> Collection[str]:
    """No solution of it touches hosts in batches."""
    return ()


class Start(Enum):
    """What came of the try to start a healing."""

    BEGUN = "begun"
    """It runs, and has its locks."""
    LOCKED = "locked"
    """Somebody has, or is before it to have, a lock that it needs."""
    OUTDATED = "outdated"
    """Since the gate was asked another process was let in, or the healing was planned anew: the
    answer may be another one now."""


class Starting:
    """Starts healings of this process, beside others that may do the same."""

    def __init__(
        self, record: Record, clock: Clock, lease: Callable[[], Lease], rollout: Rollout
    ) -> None:
        self._record = record
        self._clock = clock
        self._lease = lease
        self._rollout = rollout

    async def with_hosts(self, healing: Healing) -> Healing:
        """Name the hosts of its rollouts among its locks: none is touched that is not locked."""
        names = needed_by(healing, await self._rollout(healing))
        if names == needed_by(healing):
            return healing
        if self._is_as_before(healing):
            self._record.set_locks(healing.id, names)
        return replace(healing, locks=names)

    def start(self, healing: Healing, known: frozenset[str]) -> Start:
        """Start it, unless somebody holds what it needs, or the gate must be asked again.

        `known` are those whom the gate may have counted when it allowed this one. A run by hand is
        checked and counted in one transaction, too: of the two, whoever comes second sees the
        first."""
        with self._record.transaction():
            if not self._is_as_before(healing) or self._record.let_in() - known - {healing.id}:
                return Start.OUTDATED
            if not self._record.start_healing(healing.id, self._clock.now(), self._lease()):
                return Start.LOCKED
            Story(self._record, healing).started()
        return Start.BEGUN

    def _is_as_before(self, healing: Healing) -> bool:
        """Tell whether it is still to run the same, and to lock the same: rulebooks are reloaded
        while others are waited for."""
        fresh = self._record.healing(healing.id)
        return (fresh.ladder, fresh.locks) == (healing.ladder, healing.locks)
