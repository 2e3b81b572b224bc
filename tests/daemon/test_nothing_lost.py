"""What was accepted is acted on, or somebody is told that it was not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from unittest import mock

from selfheal.errors import StoreError
from selfheal.model import Kind
from selfheal.recovery.executors import MemoryRunner
from selfheal.recovery.executors.memory import HANGS
from selfheal.store.events import Events
from tests.daemon.support import engine_inside, write_project

SLOW = """
- name: shop
  hosts: all
  sources:
    - tick: {delay: 3600}
  rules:
    - name: slow
      condition: event.go is defined
      action:
        run_playbook: {name: restart.yml}
"""
TICKING = """
- name: shop
  hosts: all
  sources:
    - tick: {delay: 0.05}
  rules:
    - name: never
      condition: event.never is defined
      action: {debug: {msg: never}}
"""


def hanging() -> MemoryRunner:
    """Ansible is not needed: what matters is that an action does not end."""
    return MemoryRunner({"restart.yml": HANGS})


async def test_a_reload_waits_for_no_action(tmp_path: Path) -> None:
    """New rulebooks hear events while an action of the old ones still runs."""
    folder = write_project(tmp_path, SLOW, drain_timeout=0.2)
    async with engine_inside(folder, hanging()) as engine:
        engine.emit({"go": 1})
        await engine.until(lambda: any("slow" in one for one in engine.texts(Kind.RULE)))
        engine.record.post("reload", {}, 0.0)
        await engine.until(lambda: engine.told("reloaded: "))
        engine.emit({"go": 2})
        await engine.until(lambda: len(engine.texts(Kind.RULE)) == 2)


async def test_a_pattern_that_is_no_pattern_is_refused_with_its_rulebook(tmp_path: Path) -> None:
    """A reload with a broken regular expression leaves the running rulebooks at work."""
    folder = write_project(tmp_path, SLOW, drain_timeout=0.2)
    async with engine_inside(folder, hanging()) as engine:
        broken = SLOW.replace("event.go is defined", 'event.go is search("(")')
        (folder / "rulebooks" / "shop.yml").write_text(broken)
        engine.record.post("reload", {}, 0.0)
        await engine.until(lambda: engine.told("reload refused"))
        engine.emit({"go": 1})
        await engine.until(lambda: len(engine.texts(Kind.RULE)) == 1)


async def test_what_a_shutdown_leaves_is_a_note(tmp_path: Path) -> None:
    """Time ran out while firings waited: that is told, and no failure; the next start acts."""
    folder = write_project(tmp_path, SLOW, drain_timeout=0.2)
    async with engine_inside(folder, hanging(), once=False) as engine:
        engine.emit({"go": 1}, {"go": 2}, {"go": 3})
        await engine.until(lambda: len(engine.texts(Kind.RULE)) == 3)
        engine.end()
        code = await asyncio.wait_for(asyncio.shield(engine.task), 20)
        counts = engine.record.journal_counts()
        left = engine.told("3 events or firings are left; the next start takes them up")
    assert (code, left) == (0, True)
    assert (counts.unmatched, counts.firings_pending) == (0, 3)


async def test_a_source_outlives_a_record_that_refuses_for_a_moment(tmp_path: Path) -> None:
    """Its event is not lost in silence: the source is started again and goes on."""
    folder = write_project(tmp_path, TICKING, drain_timeout=0.2)
    write, refusals = Events.add, 0

    def refuses_once(journal: Events, events: object) -> None:
        nonlocal refusals
        refusals += 1
        if refusals == 1:
            raise StoreError("the disk is full")
        write(journal, events)  # type: ignore[arg-type]

    with mock.patch.object(Events, "add", refuses_once):
        async with engine_inside(folder) as engine:
            await engine.until(lambda: refusals > 3)
            assert any("the disk is full" in text for text in engine.texts(Kind.SOURCE))


async def test_a_fault_does_not_wait_behind_a_playbook(tmp_path: Path) -> None:
    """`heal` is acted on at once, though another rule's playbook runs for ever."""
    healing = """
    - name: down
      condition: event.down is defined
      action:
        heal: {fault: deadlock, component: web, target: "{{ event.down }}", root_cause: unknown}
"""
    folder = write_project(tmp_path, SLOW + healing.lstrip("\n"), drain_timeout=0.2)
    async with engine_inside(folder, hanging()) as engine:
        engine.emit({"go": 1}, {"down": "web1"})
        await engine.until(lambda: any("web1" in text for text in engine.texts(Kind.FAULT)))
