"""Lock: a resource that one healing has for itself, as a lease."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lock:
    """One resource, held by one healing."""

    resource: str
    """Such as `host:web1`, `haproxy:web`; `host:*` stands for every host."""
    healing_id: str
    """The healing that works on it."""
    holder: str
    """The process that works on the healing, for people: `engine 4711`, `by hand 815 (alice)`."""
    taken_at: float
    """Unix time."""
    expires_at: float
    """Unix time until which the holder has promised to be there; it renews the lease before."""
