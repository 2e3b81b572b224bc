"""Two acts and the record: what `selfheal demo` shows."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from selfheal.config import load_project
from selfheal.demo.screen import Screen
from selfheal.demo.site import INTERRUPTS, Site, build_site, uninterrupted
from selfheal.errors import ExecutionError, SelfhealError
from selfheal.model import Entry, Healing, HealingState, Kind, Outcome
from selfheal.ports import Record

ACT_SECONDS = 120.0
POLL_SECONDS = 0.05


def run_demo(*, keep: bool, plain: bool) -> int:
    """Run both acts; return 0 only if the world, not only the record, shows both recoveries."""
    screen = Screen(plain=plain)
    try:
        _require_ansible()
        with _signals_as_interrupt(), _temporary_folder(screen, keep) as folder:
            return _play(build_site(folder), screen)
    except KeyboardInterrupt:
        screen.say("interrupted; everything was stopped and removed")
        return 130
    except SelfhealError as error:
        screen.fail(str(error))
        return 1


def _play(site: Site, screen: Screen) -> int:
    from selfheal.store import open_record

    try:
        site.start_supervisor()
        screen.say(f"a web service answers at {site.url} (pid {site.facts()['pid']})")
        engine = site.start_engine()
        record = _await_record(site, lambda: open_record(load_project(site.project).database))
        try:
            story = Story(record, screen, lambda: engine.poll() is None)
            story.follow(lambda entry: entry.kind is Kind.ENGINE and "ready" in entry.text)
            healed = _act_one(site, screen, story) and _act_two(site, screen, story)
            screen.show_record(record.solution_records())
        finally:
            record.close()
    finally:
        site.close()
    if not healed:
        screen.fail("not everything that was promised happened")
        return 1
    screen.say("both faults were healed, and the proof is on record")
    return 0


def _act_one(site: Site, screen: Screen, story: Story) -> bool:
    screen.act("Act one: the service is killed")
    started = time.time()
    killed = site.kill_service()
    screen.say(f"kill -9 {killed}")
    healing = story.follow_healing()
    healed = healing.outcome is Outcome.HEALED and site.facts()["pid"] != killed
    screen.verdict(healed, time.time() - started)
    return healed


def _act_two(site: Site, screen: Screen, story: Story) -> bool:
    screen.act("Act two: the cache is broken, and the quick fix does not help")
    started = time.time()
    site.break_cache()
    screen.say(f"cache.json is cut in half; the service answers {site.status()}")
    healing = story.follow_healing()
    outcomes = [attempt.outcome for attempt in healing.attempts]
    healed = (
        outcomes == [Outcome.ROLLED_BACK, Outcome.HEALED]
        and site.status() == 200
        and site.workers() == 1
    )
    screen.verdict(healed, time.time() - started)
    return healed


class Story:
    """Follows the engine's timeline and shows it as it grows."""

    def __init__(self, record: Record, screen: Screen, engine_lives: Callable[[], bool]) -> None:
        self._record = record
        self._screen = screen
        self._engine_lives = engine_lives
        self._seen = 0

    def follow(self, until: Callable[[Entry], bool]) -> Entry:
        """Show entries until one is the awaited one; SelfhealError when it never comes."""
        deadline = time.monotonic() + ACT_SECONDS
        while time.monotonic() < deadline:
            for entry in self._record.entries(after=self._seen):
                self._seen = entry.seq
                self._screen.entry(entry)
                if until(entry):
                    return entry
            if not self._engine_lives():
                raise SelfhealError("the engine ended; --keep leaves its engine.log")
            time.sleep(POLL_SECONDS)
        raise SelfhealError(f"nothing came of it within {ACT_SECONDS:.0f} s")

    def follow_healing(self) -> Healing:
        """Show entries until a healing has ended; return it."""
        entry = self.follow(self._is_end)
        return self._record.healing(entry.healing_id)

    def _is_end(self, entry: Entry) -> bool:
        if entry.kind is not Kind.HEALING or not entry.healing_id:
            return False
        return self._record.healing(entry.healing_id).state is HealingState.DONE


def _await_record(site: Site, open_it: Callable[[], Record]) -> Record:
    from selfheal.demo.site import wait_for

    database = load_project(site.project).database
    wait_for(database.exists, "the engine does not start; --keep leaves its engine.log")
    return open_it()


def _require_ansible() -> None:
    from selfheal.recovery.executors.ansible import find_ansible_playbook

    try:
        find_ansible_playbook()
    except ExecutionError as error:
        raise SelfhealError(f"the demo runs real playbooks: {error}") from error


@contextlib.contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Clean up on SIGTERM, and when the terminal is closed, as on Ctrl-C."""
    previous = {number: signal.getsignal(number) for number in INTERRUPTS}
    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:  # started by nohup, it goes on
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _temporary_folder(screen: Screen, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="selfheal-demo-"))
    try:
        yield folder
    finally:
        if keep:
            screen.say(f"kept: {folder} (try: selfheal incidents list -p {folder}/project)")
        else:
            with uninterrupted():
                shutil.rmtree(folder, ignore_errors=True)
