"""scale_up.yml, scale_down.yml and failover.yml on a real HAProxy and a real supervisord."""

from __future__ import annotations

import os
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.playbooks.conftest import Action
from tests.servers import Backend, Haproxy, Supervisord, await_fact
from tests.servers.base import http_status

NAMES = ("app1", "app2", "spare")


@pytest.fixture(scope="module")
def backends(place: Path) -> dict[str, Backend]:
    return {name: Backend(place / name, name) for name in NAMES}


@pytest.fixture(scope="module")
def supervisord(place: Path, backends: dict[str, Backend]) -> Iterator[Supervisord]:
    with Supervisord(place / "supervisord", backends) as running:
        yield running


@pytest.fixture(scope="module")
def haproxy(place: Path, backends: dict[str, Backend]) -> Iterator[Haproxy]:
    active = {name: backends[name].port for name in NAMES[:2]}
    spare = {"spare": backends["spare"].port}
    with Haproxy(place / "haproxy", active, spare) as running:
        yield running


@pytest.fixture(autouse=True)
def normal(supervisord: Supervisord, haproxy: Haproxy, backends: dict[str, Backend]) -> None:
    """app1 and app2 serve, the spare is stopped and in maintenance."""
    for name in NAMES[:2]:
        backends[name].make_well()
        if supervisord.state_of(name) != "RUNNING":
            supervisord.control("start", name)
        haproxy.ask(f"set server app/{name} state ready")
    supervisord.control("stop", "spare")
    haproxy.ask("set server app/spare state maint")
    backends["spare"].make_well()
    await_fact("all normal", lambda: haproxy.status("app1") == haproxy.status("app2") == "UP")


@pytest.fixture
def common(supervisord: Supervisord, haproxy: Haproxy) -> dict[str, Any]:
    return {
        "supervisor_url": supervisord.url,
        "haproxy_socket": str(haproxy.socket),
        "haproxy_backend": haproxy.backend,
        "haproxy_state_file": str(haproxy.state_file),
        "haproxy_drain": 2,
    }


def answer(haproxy: Haproxy) -> str:
    """The name of the backend that answered one request."""
    with urllib.request.urlopen(haproxy.url, timeout=5) as response:  # noqa: S310 - loopback http
        return str(response.read().decode().strip())


def answers(haproxy: Haproxy) -> set[str]:
    """The names of all backends that serve now."""
    return {answer(haproxy) for _ in range(12)}


def test_scale_up_brings_the_spare_into_service(
    action: Callable[..., Action],
    haproxy: Haproxy,
    supervisord: Supervisord,
    common: dict[str, Any],
) -> None:
    """The spare is started and gets traffic; a reload keeps that; the rollback takes it away."""
    served: list[set[str]] = []

    def in_service() -> bool:
        served.append(answers(haproxy))
        return served[-1] == set(NAMES)

    action("scale_up", service="spare", **common).prove(
        sabotage=lambda: None,
        broken=lambda: haproxy.status("spare") == "MAINT" and "spare" not in answers(haproxy),
        healed=in_service,
        rolled_back=lambda: (
            haproxy.status("spare") == "MAINT" and supervisord.state_of("spare") == "STOPPED"
        ),
    )
    assert "app1" in haproxy.state_file.read_text()


def test_the_change_survives_a_reload(
    action: Callable[..., Action], haproxy: Haproxy, common: dict[str, Any]
) -> None:
    """With a state file a reloaded HAProxy still sends traffic to what scale_up brought in."""
    action("scale_up", service="spare", **common).apply()
    os.kill(haproxy.pid, signal.SIGUSR2)
    first = haproxy.ask("show info").split("Pid: ")[1].split()[0]

    def new_worker() -> bool:
        try:
            return haproxy.ask("show info").split("Pid: ")[1].split()[0] != first
        except (OSError, IndexError):
            return False

    await_fact("reloaded", new_worker)
    await_fact("in service", lambda: answers(haproxy) == set(NAMES))


def test_scale_up_takes_an_instance_out_again_that_does_not_come_up(
    action: Callable[..., Action],
    haproxy: Haproxy,
    backends: dict[str, Backend],
    common: dict[str, Any],
) -> None:
    """An instance that fails HAProxy's health check gets no traffic."""
    backends["spare"].make_ill()
    said = action("scale_up", service="spare", haproxy_wait=1, **common).refuse()
    assert "not up in backend app after 1.0 s: spare" in said
    assert haproxy.status("spare") == "MAINT"


def test_scale_down_drains_and_stops(
    action: Callable[..., Action],
    haproxy: Haproxy,
    supervisord: Supervisord,
    common: dict[str, Any],
) -> None:
    """The instance gets no traffic and is stopped; the rollback brings it back into service."""
    action("scale_down", service="app2", **common).prove(
        sabotage=lambda: await_fact("both up", lambda: haproxy.status("app2") == "UP"),
        broken=lambda: answers(haproxy) == {"app1", "app2"},
        healed=lambda: answers(haproxy) == {"app1"} and supervisord.state_of("app2") == "STOPPED",
        rolled_back=lambda: answers(haproxy) == {"app1", "app2"},
    )


def test_scale_down_refuses_to_take_the_last_one(
    action: Callable[..., Action],
    haproxy: Haproxy,
    supervisord: Supervisord,
    common: dict[str, Any],
) -> None:
    """Fewer than scale_minimum servers never stay, and the refused one serves on."""
    refused = action("scale_down", service="app2", scale_minimum=2, **common).refuse()
    assert "would keep 1 servers up, at least 2 must stay" in refused
    assert haproxy.status("app2") == "UP"
    assert supervisord.state_of("app2") == "RUNNING"


def test_failover_moves_to_the_backup(
    action: Callable[..., Action],
    haproxy: Haproxy,
    supervisord: Supervisord,
    backends: dict[str, Backend],
    common: dict[str, Any],
) -> None:
    """Traffic moves from a dead server to the healthy backup; the rollback moves it back."""
    supervisord.control("start", "spare")
    await_fact("the backup answers", backends["spare"].ready)
    haproxy.ask("set server app/app2 state maint")

    def kill() -> None:
        os.kill(supervisord.pid_of("app1"), signal.SIGKILL)
        await_fact("noticed", lambda: haproxy.status("app1") == "DOWN")

    def moved() -> bool:
        done = answers(haproxy) == {"spare"} and haproxy.status("app1") == "MAINT"
        supervisord.control("start", "app1")  # the cause is mended before the rollback
        return done

    failover = action(
        "failover",
        failover_from="app1",
        failover_to="spare",
        failover_backup_url=f"{backends['spare'].url}/healthz",
        health_url=f"{haproxy.url}/healthz",
        **common,
    )
    failover.prove(
        sabotage=kill,
        broken=lambda: http_status(f"{haproxy.url}/healthz") == 503,
        healed=moved,
        rolled_back=lambda: haproxy.status("spare") == "MAINT" and answers(haproxy) == {"app1"},
    )


def test_failing_back_to_a_dead_server_is_done_with_a_warning(
    action: Callable[..., Action],
    haproxy: Haproxy,
    supervisord: Supervisord,
    common: dict[str, Any],
) -> None:
    """The rollback gives back what was, even if that was a dead server, and says so."""
    supervisord.control("start", "spare")
    failover = action("failover", failover_from="app1", failover_to="spare", **common)
    failover.apply()
    supervisord.control("stop", "app1")
    run = failover.play("failover.rollback.yml", "-e", "haproxy_wait=1")
    assert run.code == 0
    assert "not up in backend app after 1.0 s: app1" in run.output
    assert haproxy.status("spare") == "MAINT"


def test_failover_to_a_sick_backup_switches_nothing(
    action: Callable[..., Action],
    haproxy: Haproxy,
    backends: dict[str, Backend],
    common: dict[str, Any],
) -> None:
    """A backup that does not answer its own health check is not switched to."""
    failover = action(
        "failover",
        failover_from="app1",
        failover_to="spare",
        failover_backup_url=f"{backends['spare'].url}/healthz",
        **common,
    )
    failover.refuse()
    assert haproxy.status("app1") == "UP"
    assert haproxy.status("spare") == "MAINT"


def test_failover_that_fails_its_check_switches_back_by_itself(
    action: Callable[..., Action],
    haproxy: Haproxy,
    supervisord: Supervisord,
    backends: dict[str, Backend],
    common: dict[str, Any],
) -> None:
    """When the way through HAProxy does not answer well, both servers get their modes back."""
    supervisord.control("start", "spare")
    await_fact("the backup answers", backends["spare"].ready)
    failover = action(
        "failover",
        failover_from="app1",
        failover_to="spare",
        health_url=f"{haproxy.url}/healthz",
        health_status=204,
        health_within=1,
        **common,
    )
    assert "did not work and was undone" in failover.refuse()
    await_fact("back", lambda: haproxy.status("app1") == "UP")
    assert haproxy.status("spare") == "MAINT"


def test_reset_connection_cuts_the_sessions_of_a_server(
    action: Callable[..., Action], haproxy: Haproxy, common: dict[str, Any]
) -> None:
    """Sessions that hang on one server are cut; those of others go on."""
    haproxy.ask("set server app/app2 state maint")
    hanging: list[threading.Thread] = []

    def hang() -> None:
        hanging.append(threading.Thread(target=http_status, args=(f"{haproxy.url}/slow", 60)))
        hanging[-1].start()
        await_fact("a session", lambda: haproxy.sessions("app1") == 1)

    reset = action("reset_connection", reset_kind="haproxy", haproxy_server="app1", **common)
    reset.prove(
        sabotage=hang,
        broken=lambda: haproxy.sessions("app1") == 1,
        healed=lambda: bool(await_fact("cut", lambda: haproxy.sessions("app1") == 0)),
        rolled_back=lambda: haproxy.sessions("app1") == 0,
    )
    for thread in hanging:
        thread.join(5)
        assert not thread.is_alive()
