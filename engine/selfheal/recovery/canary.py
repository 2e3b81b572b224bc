"""Canary rollouts: few hosts first, proven, then the rest in batches."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from selfheal.model import Attempt, Canary, Healing, Outcome, PlaybookRequest, Solution, host_name
from selfheal.recovery.requests import RequestBuilder

HostsOf = Callable[[str, str], Awaitable[Sequence[str]]]
"""Names of the hosts that a pattern means in an inventory (empty: the project's), in its order."""


async def next_batch(builder: RequestBuilder, hosts_of: HostsOf) -> tuple[str, ...] | None:
    """Return the hosts of the rung's next batch, () when none is left; None without a canary.

    `builder` is that of an attempt of this rung. Raises TemplateError, ExecutionError."""
    healing, solution = builder.healing, builder.solution
    if solution.canary is None or healing.options.get("check"):
        return None
    inventory = str(healing.options.get("inventory") or "")
    hosts: set[str] = set()
    for index in range(len(solution.steps)):
        hosts.update(await hosts_of(await builder.limit(index) or "all", inventory))
    done = hosts_done(healing, builder.attempt.rung)
    ordered = _ordered(hosts, str(healing.context.get("target") or ""))
    left = [host for host in ordered if host not in done]
    return tuple(left[: _size(solution.canary, len(ordered), first=not done)])


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


def _ordered(hosts: set[str], target: str) -> list[str]:
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
