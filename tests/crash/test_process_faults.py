"""What may happen to an engine's process, its clock and its file."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.crash_kinds.effects import read_effects
from benchmarks.crash_kinds.engine import Life, rows
from benchmarks.crash_kinds.site import Site

from tests.crash.support import crash_site, did, ends, fault, living, post, running, side_by_side
from tests.servers.base import await_fact, listens

STEPS = ["prepare", "fix"]
STOPPED_FOR = 60.0
HOUR = 3600
_SHIM = """
import time
real = time.time
def moved():
    with open({offset!r}) as file:
        return real() + float(file.read())
time.time = moved
"""


def test_an_engine_that_is_stopped_for_a_minute_goes_on_where_it_was(tmp_path: Path) -> None:
    """Its step ended meanwhile and counts; the other fault of the target waits for its locks."""
    with crash_site(tmp_path / "site", "web1") as site, living(site) as engine:
        fault(site, "web1", milliseconds=1000)
        await_fact("the first step runs", lambda: running(site, "prepare"))
        fault(site, "web1", milliseconds=0, component="db")
        engine.process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_FOR)
        engine.process.send_signal(signal.SIGCONT)
        assert ends(site, 2) == ["healed", "healed"]
        assert did(site) == STEPS * 2
        assert not side_by_side(read_effects(site.folder))
        assert engine.stop() == 0
        assert rows(site, "SELECT * FROM locks") == []


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumps_an_hour_ends_no_step(tmp_path: Path, jump: int) -> None:
    """Nor does it begin another, keep a throttle waiting, or lose a lock."""
    with crash_site(tmp_path / "site", "web1") as site:
        clock = WallClock(tmp_path, site)
        with living(site, env=clock.env):
            fault(site, "web1", milliseconds=1500)
            post(site, {"kind": "after", "key": "once", "ms": 0})
            await_fact("the first step runs", lambda: running(site, "prepare"))
            clock.jump(jump)
            assert ends(site) == ["healed"]
            assert did(site) == STEPS
            await_fact("the window of 4 s ended", lambda: did(site, "act") == ["act"], within=20)


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumped_while_no_engine_ran_breaks_nothing(tmp_path: Path, jump: int) -> None:
    """What was under way is finished, once; what comes afterwards is healed, too."""
    with crash_site(tmp_path / "site", "web1", "web2") as site:
        clock = WallClock(tmp_path, site)
        with living(site, env=clock.env) as engine:
            fault(site, "web1", milliseconds=1500)
            await_fact("the first step runs", lambda: running(site, "prepare"))
            engine.kill()
        clock.jump(jump)
        with living(site, env=clock.env):
            fault(site, "web2", milliseconds=0)
            assert ends(site, 2)[1] == "healed"
        assert did(site).count("prepare") == 2


def test_a_record_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    """The reason is said, and nothing is taken in that could not be kept."""
    with crash_site(tmp_path / "site", "web1") as site:
        with living(site) as engine:
            engine.stop()
        with read_only(site.database):
            engine = Life(site)
            code = engine.process.wait(30)
            engine.close()
            assert code not in (0, None)
            assert str(site.database) in engine.last_words()
            assert not listens(site.hooks)


def test_the_second_engine_on_a_file_says_who_holds_it(tmp_path: Path) -> None:
    """It ends with the other's process id, and the first goes on."""
    with crash_site(tmp_path / "site", "web1") as site, living(site) as first:
        second = Life(site)
        assert second.process.wait(30) != 0
        second.close()
        assert f"pid {first.process.pid}" in second.last_words()
        fault(site, "web1", milliseconds=0)
        assert ends(site) == ["healed"]


def test_a_standby_takes_over_when_the_first_dies(tmp_path: Path) -> None:
    """It waits as long as the first lives, stopped or not; then it finishes what was begun."""
    with crash_site(tmp_path / "site", "web1", "web2") as site, living(site) as first:
        second = Life(site, "--standby")
        try:
            fault(site, "web1", milliseconds=400)
            assert ends(site) == ["healed"]
            first.process.send_signal(signal.SIGSTOP)
            time.sleep(2)
            assert second.alive
            first.process.send_signal(signal.SIGCONT)
            fault(site, "web2", milliseconds=1500)
            await_fact("a step of web2 runs", lambda: running(site, "prepare"))
            first.kill()
            second.await_ready()
            ends(site, 2)
            assert did(site).count("prepare") == 2
            assert did(site).count("fix") <= 2
            assert second.stop() == 0
        finally:
            second.close()


class WallClock:
    """The wall clock of one engine, moved while it runs: other clocks go on as they were.

    The machine's clock is everybody's, and libfaketime breaks `time.sleep` of Python 3.11 (its
    clock_nanosleep fails with EINVAL), so Python's own `time.time` is moved by a sitecustomize.
    """

    def __init__(self, folder: Path, site: Site) -> None:
        self._offset = folder / "offset"
        (folder / "shim").mkdir()
        (folder / "shim" / "sitecustomize.py").write_text(_SHIM.format(offset=str(self._offset)))
        self.env = {"PYTHONPATH": f"{folder / 'shim'}{os.pathsep}{site.env['PYTHONPATH']}"}
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """Set it so many seconds off."""
        new = self._offset.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self._offset)


@contextmanager
def read_only(path: Path) -> Iterator[None]:
    """A file that nobody can write; root is kept off by the immutable attribute."""
    root = os.geteuid() == 0
    if root and shutil.which("chattr") is None:
        pytest.skip("root writes everything, and there is no chattr")
    path.chmod(0o400)
    if root:
        subprocess.run(["chattr", "+i", str(path)], check=True)
    try:
        yield
    finally:
        if root:
            subprocess.run(["chattr", "-i", str(path)], check=True)
        path.chmod(0o600)
