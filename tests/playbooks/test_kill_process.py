"""kill_process.yml on programs of a real supervisord."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.playbooks.conftest import Action
from tests.servers import Backend, Supervisord, await_fact


@pytest.fixture(scope="module")
def backend(place: Path) -> Backend:
    return Backend(place / "backend")


@pytest.fixture(scope="module")
def supervisord(place: Path, backend: Backend) -> Iterator[Supervisord]:
    with Supervisord(place / "supervisord", {"backend": backend}) as running:
        yield running


@pytest.fixture(autouse=True)
def _running(supervisord: Supervisord, backend: Backend) -> None:
    if supervisord.state_of("backend") != "RUNNING":
        supervisord.control("start", "backend")
    await_fact("backend ready", backend.ready)


def state_of(pid: int) -> str:
    """The letter of the process's state, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_a_frozen_backend_is_killed_and_started_again(
    action: Callable[..., Action], supervisord: Supervisord, backend: Backend
) -> None:
    """A SIGSTOPped process is ended and replaced; its successor is never killed."""
    victims: list[int] = []

    def freeze() -> None:
        victims.append(supervisord.pid_of("backend"))
        os.kill(victims[-1], signal.SIGSTOP)
        await_fact("frozen", lambda: state_of(victims[-1]) == "T")  # all its threads, in time

    def replaced() -> bool:
        return not state_of(victims[-1]) and backend.ready()

    kill = action(
        "kill_process",
        service="backend",
        supervisor_url=supervisord.url,
        kill_command=" ".join(backend.command),
        kill_grace=2,
    )
    kill.prove(
        sabotage=freeze,
        broken=lambda: state_of(victims[-1]) == "T",
        healed=replaced,
        rolled_back=replaced,  # what was killed stays dead, the service that ran keeps running
    )


def test_a_healthy_process_is_let_live(
    action: Callable[..., Action], supervisord: Supervisord, backend: Backend
) -> None:
    """With a health check that answers well nothing is killed."""
    before = supervisord.pid_of("backend")
    kill = action(
        "kill_process",
        service="backend",
        supervisor_url=supervisord.url,
        kill_command=" ".join(backend.command),
        health_url=f"{backend.url}/healthz",
    )
    assert kill.apply().changed == 0
    assert supervisord.pid_of("backend") == before


STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that ignores TERM, and the pid of its child."""
    argv = [sys.executable, "-c", STUBBORN, str(tmp_path)]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            yield process, child
        finally:
            for pid in (process.pid, child):
                if state_of(pid):
                    os.kill(pid, signal.SIGKILL)


def test_one_that_ignores_term_is_killed_with_its_children(
    action: Callable[..., Action], stubborn: tuple[subprocess.Popen[str], int], tmp_path: Path
) -> None:
    """KILL follows TERM, a pidfile says who is meant, and the children go too."""
    process, child = stubborn
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{process.pid}\n")
    kill = action("kill_process", kill_pidfile=str(pid_file), kill_grace=0.3)
    assert kill.apply().changed == 1
    assert process.wait(5) == -signal.SIGKILL
    await_fact("child gone", lambda: state_of(child) in ("", "Z"))


def test_doubt_kills_nobody(
    action: Callable[..., Action], stubborn: tuple[subprocess.Popen[str], int], tmp_path: Path
) -> None:
    """A reused pid, and a pidfile that disagrees with the command line, are refused."""
    process, _ = stubborn
    pid_file = tmp_path / "pid"
    pid_file.write_text(str(process.pid))
    os.utime(pid_file, (1, 1))
    assert "the pid was reused" in action("kill_process", kill_pidfile=str(pid_file)).refuse()
    os.utime(pid_file)
    other = action("kill_process", kill_pidfile=str(pid_file), kill_command="nginx: master")
    assert f"process {process.pid} of {pid_file} runs" in other.refuse()
    assert process.poll() is None


def test_several_matches_are_refused(action: Callable[..., Action], tmp_path: Path) -> None:
    """Two processes of the same command line are one too many."""
    argv = [sys.executable, "-c", "import time; time.sleep(300)", str(tmp_path)]
    pair = [subprocess.Popen(argv), subprocess.Popen(argv)]
    try:
        # Until exec a child still shows the command line of this test.
        await_fact("both run", lambda: all(command_of(each.pid) == argv for each in pair))
        said = action("kill_process", kill_command=" ".join(argv)).refuse()
        assert "2 processes match" in said
        assert all(each.poll() is None for each in pair)
    finally:
        for each in pair:
            each.kill()
            each.wait()


def command_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
