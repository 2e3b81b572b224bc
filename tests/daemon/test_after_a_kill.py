"""kill -9 of the real program: what was accepted goes on at the next start, once."""

from __future__ import annotations

import signal
import time
from functools import partial
from pathlib import Path

from selfheal.config import load_project
from selfheal.model import Event, Kind, new_id
from selfheal.store import open_record
from tests.cli.support import selfheal
from tests.servers import free_port

from .support import EngineProcess, engine_process, write_project

RULES = """
- name: shop
  hosts: all
  sources:
    - webhook: {host: 127.0.0.1, port: PORT}
  rules:
    - name: both halves
      condition: {all: [event.a == 1, event.b == 1]}
      action: {debug: {msg: both}}
    - name: after a while
      condition: event.c is defined
      throttle: {once_after: 3 seconds, group_by_attributes: [event.c]}
      action: {debug: {msg: later}}
    - name: at once
      condition: event.d is defined
      action: {debug: {msg: now}}
"""


def fired(engine: EngineProcess, rule: str) -> int:
    """Return how often a rule has fired, over all engines on this record."""
    return sum(f"rule “{rule}”" in one.text for one in engine.entries(Kind.RULE))


def matched(engine: EngineProcess, number: int) -> bool:
    """Tell whether that many events were taken in and matched."""
    counts = engine.record.journal_counts()
    return counts.accepted == number and counts.unmatched == 0


def killed(engine: EngineProcess) -> None:
    """End it as nothing can prepare for."""
    engine.send(signal.SIGKILL)
    engine.end()


def test_half_a_condition_survives(tmp_path: Path) -> None:
    """The other half comes to the next engine, and the rule fires, once."""
    folder = write_project(tmp_path, RULES.replace("PORT", str(free_port())))
    with engine_process(folder) as engine:
        engine.emit({"a": 1})
        engine.until(lambda: matched(engine, 1))
        killed(engine)
    with engine_process(folder) as engine:
        engine.emit({"b": 1})
        engine.until(lambda: fired(engine, "both halves") == 1)
        killed(engine)
    with engine_process(folder) as engine:
        engine.emit({"d": 1})
        engine.until(lambda: fired(engine, "at once") == 1)
        assert fired(engine, "both halves") == 1


def test_a_window_ends_while_no_engine_is_there(tmp_path: Path) -> None:
    """once_after fires at the start when its time was over meanwhile, and only then."""
    folder = write_project(tmp_path, RULES.replace("PORT", str(free_port())))
    with engine_process(folder) as engine:
        began = time.monotonic()
        engine.emit({"c": 1}, {"c": 1})
        engine.until(lambda: matched(engine, 2))
        killed(engine)
        assert fired(engine, "after a while") == 0, "the machine was too slow for this test"
    while time.monotonic() < began + 3.5:
        time.sleep(0.1)  # the window is real time: it is what is waited for
    with engine_process(folder) as engine:
        engine.until(lambda: fired(engine, "after a while") == 1)


def test_what_was_accepted_and_not_matched_is_acted_on_once(tmp_path: Path) -> None:
    """An engine that died right after its 2xx leaves the event to the next, not to the one after.

    The moment is too short to hit with a kill: the record is written as it stands then."""
    folder = write_project(tmp_path, RULES.replace("PORT", str(free_port())))
    with engine_process(folder):
        pass
    record = open_record(load_project(folder).database)
    record.add([Event(new_id("ev"), "webhook", time.time(), {"d": 1}, ruleset="shop")])
    record.close()
    for _ in range(2):
        with engine_process(folder) as engine:
            engine.until(partial(fired, engine, "at once"))
            assert fired(engine, "at once") == 1
            killed(engine)


def test_an_emitted_event_is_taken_in_once(tmp_path: Path) -> None:
    """A message that a kill left as not done, its event in the journal already, adds nothing."""
    folder = write_project(tmp_path, RULES.replace("PORT", str(free_port())))
    assert selfheal("emit", '{"d": 1}', "-p", folder).returncode == 0
    with engine_process(folder) as engine:
        engine.until(lambda: fired(engine, "at once") == 1)
        killed(engine)
    record = open_record(load_project(folder).database)
    record.db.execute("UPDATE inbox SET done_at = NULL")
    record.close()
    with engine_process(folder) as engine:
        engine.until(lambda: not engine.record.take())
        assert matched(engine, 1)
        assert fired(engine, "at once") == 1
