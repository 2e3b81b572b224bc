"""What a healing locks."""

from __future__ import annotations

from typing import Any

import pytest

from selfheal.errors import TemplateError
from selfheal.recovery import host_name, locks_of

from .nouns import solution_of


def context(target: str = "web1", **labels: str) -> dict[str, Any]:
    return {"target": target, "component": "web", "fault": {"labels": labels}}


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("web1", "web1"),
        ("web1:9100", "web1"),
        ("WEB1.example.org.", "web1.example.org"),
        ("http://web1/x?y", "web1"),
        ("https://me@web1:8443/x", "web1"),
        ("web1/sda", "web1"),
        ("[::1]:80", "::1"),
        ("fe80::1", "fe80::1"),
        ("http://[fe80::1]:80/", "fe80::1"),
        ("10.0.0.1:22", "10.0.0.1"),
    ],
)
def test_one_host_has_one_name(target: str, host: str) -> None:
    """Ports, URLs, brackets and case do not make another host of it."""
    assert host_name(target) == host
    assert locks_of([], context(target)) == (f"host:{host}",)


def test_without_a_target_it_is_the_component() -> None:
    """A fault that names no host locks its component."""
    assert locks_of([], context("")) == ("component:web",)


@pytest.mark.parametrize("target", ["*", "web*", "!web1", "a b", "web1,web2", "@/etc/hosts"])
def test_an_event_never_locks_every_host(target: str) -> None:
    """A target that is no name stands for itself: no pattern, and not all hosts."""
    assert locks_of([], context(target)) == (f"target:{target}",)


def test_every_solution_of_the_ladder_counts() -> None:
    """What a later rung needs is locked from the beginning; templates see labels."""
    ladder = [
        solution_of("one", locks=("haproxy:{{ labels.pool }}",)),
        solution_of("two", locks=("haproxy:web", "host:{{ target }}", "host:LB1:80")),
    ]
    assert locks_of(ladder, context("web1:80", pool="db")) == (
        "haproxy:db",
        "haproxy:web",
        "host:lb1",
        "host:web1",
    )


def test_by_hand_each_host_counts() -> None:
    """The hosts of a limit are locked beside the target; `*` are all of them."""
    assert locks_of([], context(""), ["web2", "web1"]) == ("host:web1", "host:web2")
    assert locks_of([], context(""), ["*"]) == ("host:*",)


@pytest.mark.parametrize(
    ("lock", "labels", "message"),
    [
        ("{{ nothing }}", {}, "'nothing' is undefined"),
        ("{{ labels.pool }}", {"pool": "host:*"}, "an event can't lock every host"),
        ("{{ labels.pool }}", {"pool": "all"}, "an event can't lock every host"),
        ("{{ labels.pool }}", {"pool": " "}, "which is no name"),
        ("{{ labels.pool }}", {"pool": "a\nb"}, "which is no name"),
        ("{{ labels.pool }}", {"pool": "x" * 300}, "a name of 300 characters"),
        ("{{ labels }}", {}, "which is no name"),
    ],
)
def test_a_lock_that_is_no_name_is_refused(lock: str, labels: dict[str, str], message: str) -> None:
    """The error names the solution and the lock."""
    with pytest.raises(TemplateError, match=message) as error:
        locks_of([solution_of("quick", locks=(lock,))], context(**labels))
    assert "solution 'quick': lock" in str(error.value)


def test_the_author_may_lock_every_host() -> None:
    """Written out it is meant."""
    assert locks_of([solution_of(locks=("host:*",))], context()) == ("host:*", "host:web1")
