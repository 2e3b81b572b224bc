"""What keeps an engine busy: faults, events, reloads, runs by hand, pauses, killed children."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from benchmarks.crash_kinds.engine import Life
from benchmarks.crash_kinds.site import TOKEN, Site
from benchmarks.soak_kinds.site import ALERTED
from benchmarks.soak_kinds.targets import Targets

EVERY = {
    "break_target": 1.5,
    "alert": 1.0,
    "pair": 1.0,
    "noise": 0.2,
    "by_hand": 9.0,
    "reload": 7.0,
    "pause": 13.0,
    "silence": 11.0,
    "kill_child": 8.0,
}
"""Seconds between two of a kind, on average."""


class Troubles:
    """Makes trouble whenever `tick` is called and the time for some has come."""

    def __init__(self, site: Site, engine: Life, targets: Targets, dice: random.Random) -> None:
        self._site = site
        self._engine = engine
        self._targets = targets
        self._dice = dice
        self._due = {kind: self._later(kind) for kind in EVERY}
        self._programs: list[subprocess.Popen[bytes]] = []
        self._number = 0
        self.made: Counter[str] = Counter()
        """How often each kind was made."""

    def tick(self) -> None:
        """Make what is due."""
        for kind, due in self._due.items():
            if time.monotonic() >= due:
                make: Callable[[], None] = getattr(self, f"_{kind}")
                make()
                self.made[kind] += 1
                self._due[kind] = self._later(kind)
        self._reap()

    def calm(self) -> None:
        """Lift what holds healings back, and wait for the programs that were started."""
        for program in self._programs:
            program.wait(60)
        self._programs.clear()
        self._cli("resume", "--all").wait(30)

    def _later(self, kind: str) -> float:
        return time.monotonic() + self._dice.expovariate(1 / EVERY[kind])

    def _break_target(self) -> None:
        self._targets.break_one(self._dice.choice(sorted(self._targets.ports)))

    def _alert(self) -> None:
        name = self._dice.choice(ALERTED)
        (self._site.folder / "world" / name).unlink(missing_ok=True)
        alert = {
            "status": "firing",
            "labels": {"alertname": "Down", "instance": name},
            "startsAt": datetime.fromtimestamp(time.time(), UTC).isoformat(),
            "fingerprint": name,
        }
        self._post(self._site.alerts, {"version": "4", "alerts": [alert]})

    def _pair(self) -> None:
        self._number += 1
        for half in (1, 2):
            if half == 1 or self._dice.random() < 0.7:
                self._post(self._site.hooks, {"half": half, "key": f"k{self._number}"})

    def _noise(self) -> None:
        self._post(self._site.hooks, {"noise": self._dice.random(), "key": self._dice.randrange(9)})

    def _by_hand(self) -> None:
        name = self._dice.choice(ALERTED)
        self._programs.append(self._cli("run-runbook", "restart", "-l", name, "-t", name))

    def _reload(self) -> None:
        self._engine.process.send_signal(signal.SIGHUP)

    def _pause(self) -> None:
        self._programs.append(self._cli("pause", "--for", "2s", "soaking"))

    def _silence(self) -> None:
        words = ("silence", "add", 'component="web"', "--for", "2s", "--reason", "soaking")
        self._programs.append(self._cli(*words))

    def _kill_child(self) -> None:
        if children := self._engine.children():
            with suppress(ProcessLookupError):
                os.kill(self._dice.choice(children).pid, signal.SIGKILL)

    def _cli(self, *words: str) -> subprocess.Popen[bytes]:
        command = [self._site.python, "-m", "selfheal.cli", *words, "-p", str(self._site.folder)]
        with (self._site.folder / "cli.log").open("ab") as log:
            # Its own PATH: it is no child of the engine, and must not be taken for one.
            env = {**self._site.env, "PATH": os.environ.get("PATH", os.defpath)}
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd="/"
            )

    def _post(self, port: int, body: object) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/e",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        # A reload ends the sources for a moment; what is not taken in is not waited for.
        with suppress(OSError), urllib.request.urlopen(request, timeout=10):  # noqa: S310 - as above
            pass

    def _reap(self) -> None:
        self._programs = [one for one in self._programs if one.poll() is None]
