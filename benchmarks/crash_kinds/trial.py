"""The course of one trial: several lives of an engine on one project, each ended by force."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tests.servers.base import free_port

from benchmarks.crash_kinds.approver import Approver
from benchmarks.crash_kinds.cases import Answer, Case, make_cases
from benchmarks.crash_kinds.engine import (
    Life,
    NeverReadyError,
    Process,
    holders_of,
    lines_told,
    processes_of,
)
from benchmarks.crash_kinds.receiver import Receiver
from benchmarks.crash_kinds.sender import Sender
from benchmarks.crash_kinds.site import Site, write_site
from benchmarks.crash_kinds.verdict import Counts, judge, unfinished

SETTLES_WITHIN = 40.0
"""Seconds without a new line in the story, after which a trial is not waited for any more."""


class Blow(Enum):
    """What is killed, and when."""

    AT_WORK = "at work"
    """The engine, at any moment after it was ready."""
    STARTING = "starting"
    """The engine, before it is ready."""
    STOPPING = "stopping"
    """The engine, while it drains."""
    CHILD = "child"
    """One of its children; the engine itself a moment later."""


AT_ONCE = 3
"""Healings side by side, in every second trial."""
RELOADS = 0.15
"""Share of lives in which the rulebooks are read again."""
BLOWS = [Blow.AT_WORK] * 12 + [Blow.STARTING] * 3 + [Blow.STOPPING] * 2 + [Blow.CHILD] * 3


@dataclass(slots=True)
class Course:
    """What the harness did and saw; the rest is in the record and the effects log."""

    site: Site
    """The project."""
    cases: list[Case]
    """What happened."""
    at_once: int | None = None
    """How many healings may run side by side."""
    kills: int = 0
    """`kill -9`, of engines and children."""
    kill_times: list[float] = field(default_factory=list)
    """Unix times of them, and of stops."""
    lives: list[tuple[float, float]] = field(default_factory=list)
    """Unix times of start and readiness of each engine that became ready."""
    orphans: list[Process] = field(default_factory=list)
    """Processes of an earlier life that were there when the next was ready, or at the end."""
    child_kills: set[float] = field(default_factory=set)
    """When a child was killed."""
    complaints: list[str] = field(default_factory=list)
    """What should not have happened to the engine itself."""


def run_trial(folder: Path, seed: str, kills: int, real: bool) -> Counts:
    """Run one trial in `folder` and judge it."""
    dice = random.Random(seed)
    receiver_port = free_port()
    cases = make_cases(dice, kills, 1.0)
    at_once = dice.choice((None, AT_ONCE))
    site = write_site(
        folder,
        sorted({case.key for case in cases}),
        receiver=receiver_port,
        real=real,
        join_engine=dice.choice(("durable", "python")),
        at_once=at_once,
    )
    with Receiver(receiver_port, folder / "world") as receiver:
        trial = _Trial(site, cases, dice, kills, real)
        trial.course.at_once = at_once
        try:
            trial.run()
        finally:
            for left in processes_of(site):
                with suppress(ProcessLookupError):
                    os.kill(left.pid, signal.SIGKILL)
        return judge(trial.course, trial.sender, receiver)


class _Trial:
    def __init__(
        self, site: Site, cases: list[Case], dice: random.Random, kills: int, real: bool
    ) -> None:
        self._dice = dice
        self._kills = kills
        self._site = site
        self._longest = 4.0 if real else 1.2
        self.course = Course(site, cases)
        self.sender = Sender(site)
        self._approver = Approver(site, cases)
        self._human: threading.Thread | None = None

    def run(self) -> None:
        """Kill as often as asked, then let a last life bring everything to its end."""
        life = 0
        while self.course.kills < self._kills:
            self._live(life)
            life += 1
        self._end_well(life)

    def _live(self, number: int) -> None:
        blow = self._dice.choice(BLOWS)
        engine = Life(self._site)
        try:
            if blow is Blow.STARTING:
                time.sleep(self._dice.uniform(0.05, 0.9))
                self._killed(engine)
                return
            if not self._ready(engine):
                return
            self._report(number)
            moment = self._dice.uniform(0.0, self._longest)
            self._human = threading.Thread(target=self._approver.answer, args=(engine.began,))
            self._human.start()
            if self._dice.random() < RELOADS:
                # As somebody who saves a rulebook does; what it remembers must survive that, too.
                time.sleep(moment * self._dice.random())
                engine.process.send_signal(signal.SIGHUP)
            time.sleep(moment)
            if blow is Blow.CHILD:
                self._kill_a_child(engine)
                time.sleep(self._dice.uniform(0.0, 0.5))
            if blow is Blow.STOPPING and engine.alive:
                engine.process.send_signal(signal.SIGTERM)
                self.course.kill_times.append(time.time())
                time.sleep(self._dice.uniform(0.0, 0.6))
            self._killed(engine, stopping=blow is Blow.STOPPING)
        finally:
            engine.close()
            self.sender.settle()
            if self._human is not None:
                self._human.join()

    def _ready(self, engine: Life) -> bool:
        try:
            engine.await_ready()
        except NeverReadyError as error:
            holders = holders_of(self._site.folder / ".selfheal" / "engine.lock")
            self.course.complaints.append(f"never ready: {error}; the lock is open in {holders}")
            self.course.kills += 1  # or it would be tried for ever
            return False
        self.course.lives.append((engine.began, engine.began + (engine.ready_after or 0.0)))
        self._note_orphans(engine)
        return True

    def _note_orphans(self, engine: Life) -> None:
        old = [one for one in engine.children() if one.began < engine.began - 0.05]
        if old:
            # The kernel needs a moment to take away what was just told to die.
            time.sleep(0.2)
            living = {one.pid: one for one in engine.children()}
            self.course.orphans += [living[one.pid] for one in old if one.pid in living]

    def _report(self, number: int) -> None:
        """Send what is due in this life, and what an earlier one has not acknowledged."""
        for case in self.course.cases:
            for report in case.reports:
                if report.life <= number and report.answer is Answer.WAITING:
                    self.sender.send(report, self._dice.uniform(0.0, self._longest))
                    break  # the reports of a case keep their order

    def _kill_a_child(self, engine: Life) -> None:
        children = engine.children()
        if children:
            victim = self._dice.choice(children)
            with suppress(ProcessLookupError):
                os.kill(victim.pid, signal.SIGKILL)
            self.course.kills += 1
            self.course.kill_times.append(time.time())
            self.course.child_kills.add(time.time())

    def _killed(self, engine: Life, *, stopping: bool = False) -> None:
        if not engine.alive and not stopping:
            self.course.complaints.append(f"it ended by itself: {engine.process.returncode}")
        engine.kill()
        self.course.kills += 1
        self.course.kill_times.append(engine.killed_at or time.time())

    def _end_well(self, number: int) -> None:
        engine = Life(self._site)
        try:
            if not self._ready(engine):
                return
            # A report that follows another of its case waits for the answer to that.
            while any(r.answer is Answer.WAITING for c in self.course.cases for r in c.reports):
                self._report(number + 10)
                self.sender.settle()
                if not engine.alive:
                    break
            self._await(lambda: self._all_ended() or not engine.alive)
            if not engine.alive:
                self.course.complaints.append(f"it ended by itself: {engine.process.returncode}")
                return
            self._stop(engine)
        finally:
            engine.close()
        self.course.orphans += processes_of(self._site)

    def _all_ended(self) -> bool:
        return not self._approver.answer(time.time()) and not unfinished(self.course)

    def _stop(self, engine: Life) -> None:
        try:
            if code := engine.stop():
                self.course.complaints.append(f"stopped with exit code {code}")
        except subprocess.TimeoutExpired:
            self.course.complaints.append("it does not stop")

    def _await(self, fact: Callable[[], bool]) -> None:
        told, deadline = 0, time.monotonic() + SETTLES_WITHIN
        while not fact() and time.monotonic() < deadline:
            time.sleep(0.1)
            if (now := lines_told(self._site)) > told:
                told, deadline = now, time.monotonic() + SETTLES_WITHIN
