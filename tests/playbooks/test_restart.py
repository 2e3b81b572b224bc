"""restart.yml on programs of a real supervisord, and on a real init script."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.playbooks.conftest import Action
from tests.servers import Backend, Program, Supervisord, await_fact


@pytest.fixture(scope="module")
def backend(place: Path) -> Backend:
    return Backend(place / "backend")


@pytest.fixture(scope="module")
def supervisord(place: Path, backend: Backend) -> Iterator[Supervisord]:
    with Supervisord(place / "supervisord", {"backend": backend}) as running:
        yield running


@pytest.fixture(autouse=True)
def _running(supervisord: Supervisord, backend: Backend) -> None:
    backend.make_well()
    if supervisord.state_of("backend") != "RUNNING":
        supervisord.control("start", "backend")
    await_fact("backend ready", backend.ready)


def test_restart_heals_a_killed_backend(
    action: Callable[..., Action], supervisord: Supervisord, backend: Backend
) -> None:
    """A killed program runs and answers again; the rollback stops it, as it was found."""

    def kill() -> None:
        if supervisord.pid_of("backend"):
            os.kill(supervisord.pid_of("backend"), signal.SIGKILL)
        await_fact("killed", lambda: not backend.ready())
        await_fact("noticed", lambda: supervisord.pid_of("backend") == 0)

    restart = action(
        "restart",
        service="backend",
        supervisor_url=supervisord.url,
        health_url=f"{backend.url}/healthz",
    )
    restart.prove(
        sabotage=kill,
        broken=lambda: not backend.ready(),
        healed=backend.ready,
        rolled_back=lambda: supervisord.pid_of("backend") == 0 and not backend.ready(),
    )


def test_restart_replaces_a_process_that_hangs(
    action: Callable[..., Action], supervisord: Supervisord, backend: Backend
) -> None:
    """A running program that fails its health check is replaced, and the rollback keeps it."""
    old = supervisord.pid_of("backend")
    os.kill(old, signal.SIGSTOP)
    restart = action(
        "restart",
        service="backend",
        supervisor_url=supervisord.http_url,
        health_url=f"{backend.url}/healthz",
    )
    assert restart.apply().changed == 1
    new = supervisord.pid_of("backend")
    assert new != old
    assert backend.ready()
    assert restart.apply().changed == 0
    assert restart.roll_back().changed == 0
    assert supervisord.pid_of("backend") == new


def test_restart_without_a_health_check_restarts_once_a_step(
    action: Callable[..., Action], supervisord: Supervisord
) -> None:
    """What cannot be asked for its health is restarted, but once for one selfheal_state."""
    restart = action("restart", service="backend", supervisor_url=supervisord.url)
    old = supervisord.pid_of("backend")
    assert restart.apply().changed == 1
    new = supervisord.pid_of("backend")
    assert new not in (0, old)
    assert restart.apply().changed == 0
    assert supervisord.pid_of("backend") == new


def test_a_service_that_stays_ill_fails_the_restart(
    action: Callable[..., Action], supervisord: Supervisord, backend: Backend
) -> None:
    """A restart that does not bring health is a failure, not a success."""
    backend.make_ill()
    restart = action(
        "restart",
        service="backend",
        supervisor_url=supervisord.url,
        health_url=f"{backend.url}/healthz",
        health_within=1,
    )
    assert "503" in restart.refuse()


def test_an_unknown_program_is_named(
    action: Callable[..., Action], supervisord: Supervisord
) -> None:
    """The error says which program supervisord does not know."""
    restart = action("restart", service="nosuch", supervisor_url=supervisord.url)
    assert "nosuch: BAD_NAME" in restart.refuse()


def test_supervisord_that_is_down_is_named(action: Callable[..., Action], tmp_path: Path) -> None:
    """The error says where supervisord does not answer; the rollback of nothing is harmless."""
    url = f"unix://{tmp_path}/nobody.sock"
    restart = action("restart", service="x", supervisor_url=url)
    assert f"does not answer at {url}" in restart.refuse()
    assert restart.roll_back().changed == 0


INIT_SCRIPT = """#!/bin/sh
# A real init script, as Debian's skeleton has it.
daemon="start-stop-daemon --pidfile {here}/pid --quiet --oknodo"
case "$1" in
  start) $daemon --start --make-pidfile --background --chdir {here} --exec /bin/sleep -- 300 ;;
  stop) $daemon --stop --remove-pidfile --retry 5 ;;
  status) start-stop-daemon --status --pidfile {here}/pid ;;
  *) exit 2 ;;
esac
"""


def test_restart_by_an_init_script(action: Callable[..., Action], place: Path) -> None:
    """A dead daemon of an init script is started; the rollback stops it, as it was found."""
    here = place / "init.d"
    here.mkdir()
    script = here / "sleeper"
    script.write_text(INIT_SCRIPT.format(here=here))
    script.chmod(0o755)

    def alive() -> bool:
        pid = here / "pid"
        return pid.exists() and Path(f"/proc/{pid.read_text().strip()}").exists()

    restart = action("restart", service="sleeper", manager="sysvinit", init_directory=str(here))
    restart.prove(
        sabotage=lambda: None,
        broken=lambda: not alive(),
        healed=alive,
        rolled_back=lambda: not alive(),
    )


FAKE_SYSTEMCTL = """#!/bin/sh
# Stands in for systemctl, which cannot run without systemd as PID 1.
case "$2" in
  is-active) test -e {here}/active || exit 3 ;;
  start) touch {here}/active ;;
  stop) rm {here}/active ;;
esac
echo "$*" >> {here}/calls
"""


def test_restart_by_systemd(
    action: Callable[..., Action], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit is started and stopped by systemctl, its name never taken for an option."""
    fake = tmp_path / "systemctl"
    fake.write_text(FAKE_SYSTEMCTL.format(here=tmp_path))
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    restart = action("restart", service="web.service", manager="systemd")
    assert restart.apply().changed == 1
    assert restart.apply().changed == 0
    assert restart.roll_back().changed == 1
    calls = [line for line in (tmp_path / "calls").read_text().splitlines() if "active" not in line]
    assert calls == [
        "--no-ask-password start -- web.service",
        "--no-ask-password stop -- web.service",
    ]


def test_a_program_between_two_retries_is_started_at_once(
    action: Callable[..., Action], tmp_path: Path
) -> None:
    """A program supervisord keeps retrying (BACKOFF) is started as soon as its cause is mended."""
    cause = tmp_path / "cause"
    cause.touch()
    script = f"test ! -e {cause} && exec sleep 300"
    options = {"startsecs": "1", "startretries": "100"}
    program = Program(["/bin/sh", "-c", script], options=options)
    with Supervisord(tmp_path / "supervisord", {"flapping": program}) as supervisord:
        supervisord.await_state("flapping", "BACKOFF")
        cause.unlink()
        restart = action("restart", service="flapping", supervisor_url=supervisord.url)
        assert restart.apply().changed == 1
        assert supervisord.state_of("flapping") == "RUNNING"
