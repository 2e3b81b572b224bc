"""The drills: how each breaks the web tier, how the world shows it, what mends it afterwards."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.drills.web_tier import WebTier
from selfheal.model import IncidentState


@dataclass(frozen=True, slots=True)
class Drill:
    """One fault of the web tier."""

    name: str
    """For the table."""
    alert: str
    """The alert that it raises."""
    component: str
    """What the alert's fault is about."""
    break_it: Callable[[WebTier], float]
    """Do the damage; returns the Unix time at which the fault began."""
    broken: Callable[[WebTier], bool]
    """Whether the world shows the damage."""
    healed: Callable[[WebTier], bool]
    """Whether the world is as it should be when the engine is done."""
    mend: Callable[[WebTier], None] = lambda tier: None
    """What a human does afterwards about what no healing puts right."""
    ends_as: IncidentState = IncidentState.HEALED
    """State of its incident when the engine is done with it."""


def _kill(tier: WebTier) -> float:
    begun = time.time()
    os.kill(tier.supervisord.pid_of("app1"), signal.SIGKILL)
    return begun


def _freeze(tier: WebTier) -> float:
    begun = time.time()
    os.kill(tier.supervisord.pid_of("app1"), signal.SIGSTOP)
    return begun


def _is_down(tier: WebTier) -> bool:
    # In this order: HAProxy keeps a request waiting until it has noticed.
    return tier.haproxy.status("app1") == "DOWN" and tier.page() == 503


def _is_served(tier: WebTier) -> bool:
    return tier.page() == 200 and tier.haproxy.status("app1") == "UP"


def _break_release(tier: WebTier) -> float:
    tier.primary.release.write_text("raise SystemExit('a release that cannot start')\n")
    return _kill(tier)


def _is_served_by_standby(tier: WebTier) -> bool:
    at_standby = tier.haproxy.status("app2") == "UP" and tier.haproxy.status("app1") == "MAINT"
    return tier.page() == 200 and at_standby


def _repair_primary(tier: WebTier) -> None:
    """A human deploys a release that works, starts it and fails back."""
    tier.primary.deploy()
    tier.supervise("startProcess", "app1")
    tier.haproxy.ask("set server app/app1 state ready")
    tier.haproxy.ask("set server app/app2 state maint")


def _fill(tier: WebTier, prefix: str) -> float:
    """Write pages as a client does until redis refuses one."""
    _write_pages(tier, prefix, 10_000)
    return time.time()


def _write_pages(tier: WebTier, prefix: str, most: int) -> bool:
    """Write pages of 16 KB; return whether redis took them all. The first refusal ends it."""
    with socket.create_connection(("127.0.0.1", tier.redis.port), timeout=5) as client:
        answers = client.makefile("rb")
        for number in range(most):
            client.sendall(f"SET {prefix}:{number} {'x' * 16_384}\r\n".encode())
            if answers.readline().startswith(b"-OOM"):
                return False
    return True


def _takes_writes(tier: WebTier) -> bool:
    # Several: a client that has gone leaves room for a page or two, its buffers counted as memory.
    return _write_pages(tier, "probe", 10)


def _refuses_writes(tier: WebTier) -> bool:
    return not _takes_writes(tier)


def _fill_with_orders(tier: WebTier) -> float:
    """No page is cached, so there is nothing that may be cleared."""
    tier.redis.ask("FLUSHALL")
    return _fill(tier, "order")


def _keeps_orders(tier: WebTier) -> bool:
    return _refuses_writes(tier) and tier.redis.ask("EXISTS", "order:0") == "1"


def _drop_orders(tier: WebTier) -> None:
    """A human knows which orders may go."""
    tier.redis.ask("FLUSHALL")


def _misconfigure_nginx(tier: WebTier) -> float:
    """Deploy as one should not: overwrite and restart, without a check."""
    tier.nginx.config.write_text("events { }\nhttp { serve everything; }\n")
    begun = time.time()
    tier.supervise("stopProcess", "nginx")
    tier.supervise("startProcess", "nginx")
    return begun


def _nginx_serves_old_config(tier: WebTier) -> bool:
    wanted = tier.nginx.configuration(tier.nginx.text)
    return tier.nginx.ready() and tier.nginx.config.read_text() == wanted


BACKEND_KILLED = Drill(
    name="backend killed",
    alert="BackendDown",
    component="app1",
    break_it=_kill,
    broken=_is_down,
    healed=_is_served,
)
BACKEND_FROZEN = Drill(
    name="backend frozen",
    alert="BackendFrozen",
    component="app1",
    break_it=_freeze,
    broken=_is_down,
    healed=_is_served,
)
REDIS_FULL = Drill(
    name="redis full",
    alert="RedisFull",
    component="redis",
    break_it=lambda tier: _fill(tier, "cache"),
    broken=_refuses_writes,
    healed=_takes_writes,
)
NGINX_MISCONFIGURED = Drill(
    name="nginx misconfigured",
    alert="NginxDown",
    component="nginx",
    break_it=_misconfigure_nginx,
    broken=lambda tier: not tier.nginx.ready(),
    healed=_nginx_serves_old_config,
)
BACKEND_BEYOND_REPAIR = Drill(
    name="backend beyond repair",
    alert="BackendDown",
    component="app1",
    break_it=_break_release,
    broken=_is_down,
    healed=_is_served_by_standby,
    mend=_repair_primary,
)
REDIS_FULL_OF_ORDERS = Drill(
    name="redis full of orders",
    alert="RedisFull",
    component="redis",
    break_it=_fill_with_orders,
    broken=_refuses_writes,
    healed=_keeps_orders,
    mend=_drop_orders,
    ends_as=IncidentState.MANUAL,
)

DRILLS = (BACKEND_KILLED, BACKEND_FROZEN, REDIS_FULL, NGINX_MISCONFIGURED, BACKEND_BEYOND_REPAIR)
"""The drills that the engine heals."""
