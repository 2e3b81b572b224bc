"""Real faults, from Prometheus' alert to a recovery that the world confirms; nothing is mocked.

`run_drill` asserts for each that the damage was there, that the incident ended as the drill says,
that the world agrees, and that the alert is over afterwards.
"""

from __future__ import annotations

import pytest
from benchmarks.drills import (
    BACKEND_BEYOND_REPAIR,
    BACKEND_FROZEN,
    BACKEND_KILLED,
    NGINX_MISCONFIGURED,
    REDIS_FULL,
    REDIS_FULL_OF_ORDERS,
    Course,
    Drill,
    WebTier,
    run_drill,
)

from selfheal.model import FaultState, Outcome

# One worker runs them all: they share its web tier (needs `--dist loadgroup`; without it each
# worker builds a tier of its own, which is slower and as true).
pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("web-tier")]


def assert_healed_once(course: Course, drill: Drill, solution: str) -> None:
    """The drill's own alert led to one healing by that solution, at its first try."""
    assert course.alert["labels"]["alertname"] == drill.alert
    assert course.alert["status"] == "firing"
    assert course.fault.state is FaultState.HEALED
    assert course.began_at < course.alert_at < course.task_at < course.ended_at
    assert course.healings == (course.healing,), "one fault, one healing"
    assert course.healing.outcome is Outcome.HEALED
    assert [attempt.solution for attempt in course.healing.attempts] == [solution]


def test_a_killed_backend_is_restarted(tier: WebTier) -> None:
    """After kill -9 of the primary users get a 503, and their page again once it is restarted."""
    pid = tier.supervisord.pid_of("app1")
    assert_healed_once(run_drill(tier, BACKEND_KILLED), BACKEND_KILLED, "restart-backend")
    assert tier.supervisord.pid_of("app1") not in (0, pid)


def test_a_frozen_backend_is_killed_and_started(tier: WebTier) -> None:
    """A stopped process answers nobody; it is told from a dead one, ended, and a new one serves."""
    pid = tier.supervisord.pid_of("app1")
    assert_healed_once(run_drill(tier, BACKEND_FROZEN), BACKEND_FROZEN, "kill-frozen-backend")
    assert tier.supervisord.pid_of("app1") not in (0, pid)


def test_a_full_redis_takes_writes_again(tier: WebTier) -> None:
    """Cached pages that fill the memory are cleared; what is no cached page is left alone."""
    tier.redis.ask("SET", "order:1", "two chairs")
    assert_healed_once(run_drill(tier, REDIS_FULL), REDIS_FULL, "clear-redis-cache")
    assert tier.redis.ask("GET", "order:1") == "two chairs"


def test_a_bad_nginx_configuration_is_taken_back(tier: WebTier) -> None:
    """nginx does not start on the new configuration; the last good one comes back."""
    course = run_drill(tier, NGINX_MISCONFIGURED)
    assert_healed_once(course, NGINX_MISCONFIGURED, "restore-nginx-config")


def test_the_next_rung_heals_what_a_restart_cannot(tier: WebTier) -> None:
    """A release that cannot start: the restart fails and is undone, the standby takes over."""
    told = len(tier.pager.messages)
    course = run_drill(tier, BACKEND_BEYOND_REPAIR)
    restart, failover = course.healing.attempts
    assert (restart.solution, restart.outcome) == ("restart-backend", Outcome.ROLLED_BACK)
    assert (failover.solution, failover.outcome) == ("fail-over-to-standby", Outcome.HEALED)
    assert course.healings == (course.healing,), "one fault, one healing"
    assert len(tier.pager.messages) == told, "nobody need be called"


def test_a_human_is_called_with_the_evidence(tier: WebTier) -> None:
    """A redis full of orders: nothing may be cleared; the pager says what was tried and seen."""
    told = len(tier.pager.messages)
    course = run_drill(tier, REDIS_FULL_OF_ORDERS)
    assert course.healing.outcome is Outcome.ROLLED_BACK
    assert course.healings == (course.healing,), "one fault, one healing"
    (message,) = tier.pager.messages[told:]
    assert message["data"]["incident_id"] == course.incident.id
    assert message["data"]["outcome"] == "rolled_back"
    assert "redis uses 99" in message["subject"]
    assert "tried clear-redis-cache: rolled_back" in message["body"]
    assert "did not hold" in message["body"]
