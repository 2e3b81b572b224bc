"""The demo, for real: its own processes, real Ansible, nothing left behind."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfheal.demo import run, site
from tests.daemon.support import marked_processes, needs_ansible, without_ansible_installed

COMMAND = [sys.executable, "-m", "selfheal.cli", "demo"]
STATE = Path(f"/var/tmp/selfheal-{os.geteuid()}")


@pytest.fixture(autouse=True)
def _ansible() -> None:
    needs_ansible()


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment in which the demo's folder is made below `tmp_path`."""
    return {**os.environ, "TMPDIR": str(tmp_path)}


def remembered() -> set[str]:
    """What playbooks have left in the place for their memories."""
    return set(os.listdir(STATE)) if STATE.is_dir() else set()


def test_it_heals_twice_and_says_so_in_plain_lines(tmp_path: Path, env: dict[str, str]) -> None:
    """Exit code 0, both acts with their reasons, no escape sequence, and nothing left behind."""
    done = subprocess.run(COMMAND, capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    in_order = [
        "Act one",
        "kill -9",
        "service does not answer",
        "because root cause web-dead fits web-dead",
        "Ask the supervisor to restart the service",
        "HEALED in",
        "Act two",
        "Raise the number of workers",
        "Put the old setting back",
        "Build the cache from the products",
        "HEALED in",
        "rebuild-cache │ 1    │ 1",
        "scale-up-web  │ 1    │ 0",
        "the proof is on record",
    ]
    assert re.search(".*".join(map(re.escape, in_order)), done.stdout, re.DOTALL), done.stdout
    assert list(tmp_path.iterdir()) == []
    assert marked_processes(tmp_path) == []


@pytest.fixture
def demo(env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The demo, running; a closed terminal means something to it, also when the tests run below
    nohup, which programs inherit."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env
    ) as process:
        signal.signal(signal.SIGHUP, before)
        yield process
        process.kill()


def await_line(process: subprocess.Popen[bytes], needle: bytes) -> None:
    """Read the demo's lines until one holds `needle`."""
    assert process.stdout
    seen, deadline = b"", time.monotonic() + 60
    while needle not in seen:
        ready, _, _ = select.select([process.stdout], [], [], deadline - time.monotonic())
        chunk = os.read(process.stdout.fileno(), 65536) if ready else b""
        assert chunk, seen.decode()
        seen += chunk


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, b"web service answers"),
        (signal.SIGINT, b"running"),
        (signal.SIGTERM, b"Act two"),
        (signal.SIGHUP, b"kill -9"),
    ],
)
def test_an_interrupted_demo_leaves_nothing(
    tmp_path: Path, demo: subprocess.Popen[bytes], number: signal.Signals, moment: bytes
) -> None:
    """Whenever it is interrupted: no process, no folder, and exit code 130."""
    await_line(demo, moment)
    demo.send_signal(number)
    out, _ = demo.communicate(timeout=40)
    assert demo.returncode == 130, out.decode()
    assert b"Traceback" not in out
    assert list(tmp_path.iterdir()) == []
    assert marked_processes(tmp_path) == []


def test_an_impatient_user_leaves_nothing_either(
    tmp_path: Path, demo: subprocess.Popen[bytes]
) -> None:
    """Ctrl-C again and again, while it cleans up: it still does."""
    await_line(demo, b"running restart.yml")
    while demo.poll() is None:
        demo.send_signal(signal.SIGINT)
        time.sleep(0.05)
    # The last one may hit Python when it has nothing left to do but end.
    assert demo.returncode in (130, -signal.SIGINT)
    assert list(tmp_path.iterdir()) == []
    assert marked_processes(tmp_path) == []


def test_keep_leaves_the_folder(tmp_path: Path, env: dict[str, str]) -> None:
    """With --keep the record can be looked at afterwards; no process stays."""
    before = remembered()
    done = subprocess.run(
        [*COMMAND, "--keep"], capture_output=True, text=True, env=env, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [folder] = tmp_path.iterdir()
    look = [sys.executable, "-m", "selfheal.cli", "incidents", "list", "-p", f"{folder}/project"]
    listed = subprocess.run(look, capture_output=True, text=True, timeout=60)
    assert listed.stdout.count("healed") == 2
    assert marked_processes(tmp_path) == []
    assert not [name for name in remembered() - before if (STATE / name / "web.json").exists()]


USELESS = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: {msg: nothing}\n"


@pytest.mark.parametrize(
    ("playbook", "healed"), [("restart.yml", 0), ("rebuild_cache.yml", 1), ("scale_up.yml", 2)]
)
def test_a_broken_promise_is_no_success(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    playbook: str,
    healed: int,
) -> None:
    """With a playbook that does nothing the recovery it owes is missing, and the exit code is 1.

    A quick fix that does nothing owes nothing: act two is about a quick fix that does not help."""
    build = site.build_site

    def build_useless(folder: Path) -> Any:
        built = build(folder)
        (built.project / "playbooks" / playbook).write_text(USELESS)
        return built

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(run, "build_site", build_useless)
    code = run.run_demo(keep=False, plain=True)
    said = capsys.readouterr()
    assert code == (0 if healed == 2 else 1), said.out + said.err
    assert said.out.count("HEALED in") == healed
    if healed < 2:
        assert "NOT HEALED" in said.out
        assert "not everything that was promised happened" in said.err
    assert list(tmp_path.iterdir()) == []


def test_without_ansible_it_says_what_to_install(tmp_path: Path) -> None:
    """Before anything is started: one line, exit code 1."""
    install = without_ansible_installed(tmp_path)
    done = subprocess.run(
        [install.python, "-m", "selfheal.cli", "demo"],
        capture_output=True,
        text=True,
        env=install.env,
        timeout=60,
    )
    assert done.returncode == 1
    assert "pip install 'selfheal[ansible]'" in done.stderr
    assert done.stdout == ""
