"""Locks on resources: leases, taken all or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from selfheal.model import Healing, Lock

HOST = "host:"
"""What the lock of a host begins with."""
EVERY_HOST = ("all", "host:*")
"""Two names for the lock of every host: it overlaps each that begins with `host:`."""


def never_dead(lock: Lock) -> bool:
    """The careful answer: whoever holds a lock is alive."""
    return False


@dataclass(frozen=True, slots=True)
class Lease:
    """In whose name locks are taken, until when, and whose locks may be taken away."""

    holder: str = ""
    """The process, for people: `engine 4711`."""
    expires_at: float = 0.0
    """Unix time; to be renewed before."""
    is_dead: Callable[[Lock], bool] = never_dead
    """Whether the holder of that lock is gone for certain. An expired lease proves nothing: its
    holder may have been stopped for a while and go on."""


class LockRecord(Protocol):
    """Locks on resources: leases, taken all or none.

    A healing that names no locks locks its `resource`. `host:*` and `all` stand for every host.
    `start_healing` takes locks, `end_healing` frees them, in the same transaction."""

    def set_locks(self, healing_id: str, names: Sequence[str]) -> None:
        """Name what a queued healing is to lock."""
        ...

    def take_locks(self, healing_id: str, at: float, lease: Lease) -> bool:
        """Take every lock of the healing, or keep those it has; False, and none taken, when a
        living holder has one of them."""
        ...

    def locks(self) -> list[Lock]:
        """Everything that is locked, by resource."""
        ...

    def locks_against(self, healing: Healing) -> list[Lock]:
        """What other healings hold of that which this one needs, by resource."""
        ...

    def renew_locks(self, healing_ids: Sequence[str], expires_at: float) -> None:
        """The heartbeat: the holders of these healings are still there."""
        ...

    def idle_holders(self) -> frozenset[str]:
        """Ids of the healings that hold locks and wait: for a human, or for what a rail says."""
        ...

    def let_in(self) -> frozenset[str]:
        """Ids of the healings that take a place: those that run, and the queued ones by hand that
        the rails have let through to their locks."""
        ...
