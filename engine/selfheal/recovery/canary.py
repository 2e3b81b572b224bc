"""Canary rollouts: few hosts first, proven, then the rest in batches."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from selfheal.model import Attempt, Canary, Healing, Outcome, PlaybookRequest, Solution, host_name
from selfheal.recovery.requests import RequestBuilder
from selfheal.recovery.resources import hosts_locked_beside, locked_among

HostsOf = Callable[[str, str], Awaitable[Sequence[str]]]
"""Names of the hosts that a pattern means in an inventory (empty: the project's), in its order."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The next hosts of a rollout. It touches only what was locked before it began."""

    hosts: tuple[str, ...]
    """Names of hosts; none when no host is left."""
    gone: tuple[str, ...] = ()
    """Hosts of the rollout that the inventory no longer has: they are left out."""
    late: tuple[str, ...] = ()
    """Hosts that are meant by now, but were not when the locks were taken: left out as well."""


def is_rollout(healing: Healing, solution: Solution) -> bool:
    """Tell whether the solution is run in batches; in check mode nothing is."""
    return solution.canary is not None and not healing.options.get("check")


async def hosts_meant(builder: RequestBuilder, hosts_of: HostsOf) -> frozenset[str]:
    """Return the hosts of the steps of a rung, as the inventory has them now.

    `builder` is that of an attempt of this rung. Raises TemplateError, ExecutionError."""
    hosts: set[str] = set()
    for index in range(len(builder.solution.steps)):
        pattern = await builder.limit(index) or "all"
        hosts.update(await hosts_of(pattern, _inventory(builder.healing)))
    return frozenset(hosts)


async def next_batch(builder: RequestBuilder, hosts_of: HostsOf) -> Batch | None:
    """Return the rung's next batch; None without a canary.

    `builder` is that of an attempt of this rung. Raises TemplateError, ExecutionError."""
    healing, canary = builder.healing, builder.solution.canary
    if canary is None or not is_rollout(healing, builder.solution):
        return None
    meant = await hosts_meant(builder, hosts_of)
    known = await builder.known_hosts(_inventory(healing))
    done = hosts_done(healing, builder.attempt.rung)
    locked = locked_among(healing, meant)
    ordered = _ordered(locked, str(healing.context.get("target") or ""))
    left = [host for host in ordered if host not in done]
    size = _size(canary, len(ordered), first=not done)
    gone = _gone(healing, {*known, *meant, *done})
    return Batch(tuple(left[:size]), gone, tuple(sorted(meant - locked)))


def _gone(healing: Healing, there: Iterable[str]) -> tuple[str, ...]:
    """Return the hosts that were locked for a rollout, and are not there."""
    names = {host_name(host) for host in there}
    return tuple(host for host in hosts_locked_beside(healing) if host not in names)


def _inventory(healing: Healing) -> str:
    return str(healing.options.get("inventory") or "")


async def within_batch(
    attempt: Attempt, request: PlaybookRequest, hosts_of: HostsOf
) -> PlaybookRequest | None:
    """Return the request, narrowed to the attempt's batch; None when none of its hosts is in it."""
    if not attempt.hosts:
        return request
    wanted = set(await hosts_of(request.limit or "all", request.inventory))
    hosts = [host for host in attempt.hosts if host in wanted]
    return replace(request, limit=",".join(hosts)) if hosts else None


def hosts_done(healing: Healing, rung: int) -> frozenset[str]:
    """Return the hosts on which the rung has been proven."""
    return frozenset(
        host
        for attempt in healing.attempts
        if attempt.rung == rung and attempt.outcome is Outcome.HEALED
        for host in attempt.hosts
    )


def not_before(healing: Healing, solution: Solution) -> float:
    """Return the Unix time before which the next batch may not begin."""
    ended = healing.attempts[-1].ended_at or 0.0
    return ended + solution.canary.pause if solution.canary else ended


def _ordered(hosts: Iterable[str], target: str) -> list[str]:
    """Return the hosts by name, the faulty one first: it is the one that needs it."""
    faulty = host_name(target)
    return sorted(hosts, key=lambda host: (host_name(host) != faulty, host))


def _size(canary: Canary, hosts: int, *, first: bool) -> int:
    if first:
        return canary.first
    text = canary.then.strip()
    if text.endswith("%"):
        return max(1, math.floor(hosts * float(text[:-1]) / 100))
    return int(text)
