"""What was accepted is acted on, or somebody is told that it was not."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from selfheal.config import load_project
from selfheal.errors import StoreError
from selfheal.model import Event, Kind, TaskResult
from selfheal.recovery.executors import MemoryRunner
from selfheal.recovery.executors.memory import HANGS, Reply
from selfheal.store.events import Events
from tests.daemon.support import Inside, engine_inside, write_project

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


HALVES = """
- name: shop
  hosts: all
  sources:
    - tick: {delay: 3600}
  rules:
    - name: both
      condition: {all: [event.a == 1, event.b == 1]}
      action: {debug: {msg: MESSAGE}}
    - name: first
      condition: event.c == 1
      actions:
        - run_playbook: {name: restart.yml}
        - post_event: {event: {a: 1}}
"""


def inputs(engine: Inside, *kinds: str) -> list[dict[str, Any]]:
    """What rulesets were shown, in order of acceptance."""
    with sqlite3.connect(load_project(engine.folder).database) as db:
        db.row_factory = sqlite3.Row
        rows = db.execute("SELECT * FROM events ORDER BY seq").fetchall()
    db.close()
    return [dict(row) for row in rows if row["kind"] in kinds]


def matched(engine: Inside, key: str, count: int = 1) -> bool:
    """Tell whether that many events with the key have been matched."""
    found = [row for row in inputs(engine, "event") if f'"{key}"' in row["body"]]
    return sum(row["turn"] is not None for row in found) == count


def started(engine: Inside, count: int) -> bool:
    """Tell whether so many engines have become ready on this record."""
    return sum(text.startswith("ready: ") for text in engine.texts(Kind.ENGINE)) == count


async def test_a_reload_keeps_what_unchanged_rules_remember(tmp_path: Path) -> None:
    """Half a condition and facts survive new actions; a changed condition begins anew."""
    folder = write_project(tmp_path, HALVES)
    rules = folder / "rulebooks" / "shop.yml"
    async with engine_inside(folder) as engine:
        engine.emit({"a": 1})
        await engine.until(lambda: matched(engine, "a"))
        rules.write_text(HALVES.replace("MESSAGE", "other"))
        engine.record.post("reload", {}, 0.0)
        await engine.until(lambda: engine.told("reloaded: "))
        engine.emit({"b": 1}, {"a": 1})
        await engine.until(lambda: engine.told("rule “both” of “shop” fired"))
        rules.write_text(HALVES.replace("event.b == 1", "event.b == 2"))
        engine.record.post("reload", {}, 0.0)
        await engine.until(lambda: engine.told("its rules were changed"))
        engine.emit({"b": 2})
        await engine.until(lambda: matched(engine, "b", 2))
        assert len(engine.texts(Kind.RULE)) == 1


async def test_a_firing_in_the_hands_of_the_old_rulebooks_is_acted_on_once(tmp_path: Path) -> None:
    """A reload while its playbook runs neither ends it nor begins it again."""
    folder = write_project(tmp_path, HALVES)
    runner = MemoryRunner({"restart.yml": Reply(seconds=1.0)})
    async with engine_inside(folder, runner) as engine:
        engine.emit({"c": 1})
        await engine.until(lambda: runner.requests)
        engine.record.post("reload", {}, 0.0)
        await engine.until(lambda: engine.told("reloaded: "))
        engine.emit({"b": 1})
        # What the old rulebooks' firing posts reaches the new ones.
        await engine.until(lambda: engine.told("rule “both” of “shop” fired"))
        assert runner.playbooks == ["restart.yml"]


async def test_however_many_reloads_a_firing_is_acted_on_once(tmp_path: Path) -> None:
    """What rulebooks have in hand that were replaced long ago is begun by no later ones."""
    folder, runner = write_project(tmp_path, SLOW), hanging()
    async with engine_inside(folder, runner) as engine:
        engine.emit({"go": 1}, {"go": 2}, {"go": 3})
        await engine.until(lambda: len(engine.texts(Kind.RULE)) == 3 and runner.requests)
        for number in range(1, 4):
            engine.record.post("reload", {}, 0.0)
            await engine.until(lambda n=number: sum("reloaded: " in t for t in engine.texts()) == n)
        for number in range(3):
            await engine.until(lambda n=number: len(runner.requests) > n)
            await runner.cancel(runner.requests[number].ident)
        await engine.until(lambda: engine.record.journal_counts().firings_pending == 0)
        going = [one.extra_vars["ansible_eda"]["event"]["go"] for one in runner.requests]
        assert going == [1, 2, 3]
        assert engine.record.journal_counts().firings_unknown == 0


async def test_the_next_start_takes_up_what_fired(tmp_path: Path) -> None:
    """A firing that a shutdown left is acted on by the next engine, in order, and once."""
    folder = write_project(tmp_path, SLOW, drain_timeout=0.2)
    async with engine_inside(folder, hanging()) as engine:
        engine.emit({"go": 1}, {"go": 2})
        await engine.until(lambda: len(engine.texts(Kind.RULE)) == 2)
        engine.end()
        await asyncio.wait_for(asyncio.shield(engine.task), 20)
    runner = MemoryRunner()
    async with engine_inside(folder, runner) as engine:
        await engine.until(lambda: engine.record.journal_counts().firings_pending == 0)
        counts = engine.record.journal_counts()
        going = [one.extra_vars["ansible_eda"]["event"]["go"] for one in runner.requests]
    # The first was begun, and nothing shows how it ended: a human is told instead.
    assert (going, counts.firings_done, counts.firings_unknown) == ([2], 1, 1)


async def test_a_firing_whose_rule_is_gone_is_dropped_and_told(tmp_path: Path) -> None:
    """Nobody acts on a rule that is no longer there; a human hears what was left."""
    folder = write_project(tmp_path, SLOW, drain_timeout=0.2)
    async with engine_inside(folder, hanging()) as engine:
        engine.emit({"go": 1})
        await engine.until(lambda: len(engine.texts(Kind.RULE)) == 1)
        engine.end()
        await asyncio.wait_for(asyncio.shield(engine.task), 20)
        engine.record.add([Event("ev-x", "s", 0.0, {"go": 2}, ruleset="shop")])
    (folder / "rulebooks" / "shop.yml").write_text(HALVES.replace("name: shop", "name: other"))
    async with engine_inside(folder) as engine:
        await engine.until(lambda: engine.record.journal_counts().firings_dropped == 1)
        await engine.until(lambda: engine.record.journal_counts().unmatched == 0)
        assert engine.record.journal_counts().firings_pending == 0
        await engine.until(
            lambda: any("had fired" in one for one in engine.texts(Kind.NOTIFICATION))
        )
        assert engine.told("1 accepted events are left out")


async def test_gathered_facts_take_the_place_of_older_ones(tmp_path: Path) -> None:
    """Each start asserts what hosts say now; what they said before is gone, not beside it."""
    folder = write_project(
        tmp_path, HALVES.replace("hosts: all", "hosts: all\n  gather_facts: true")
    )

    def answer(load: int) -> MemoryRunner:
        result = {"ansible_facts": {"load": load}}
        task = TaskResult("web1", "", "setup", "ok", 0.1, result=result)
        return MemoryRunner({"ansible.builtin.setup": Reply(tasks=(task,))})

    starts = 0
    for load in (1, 2, 2):
        async with engine_inside(folder, answer(load)) as engine:
            starts += 1
            await engine.until(partial(started, engine, starts))
            engine.end()
            await asyncio.wait_for(asyncio.shield(engine.task), 20)
            rows = inputs(engine, "fact", "retract")
    assert [(row["kind"], '"load":1' in row["body"]) for row in rows] == [
        ("fact", True),
        ("fact", False),
        ("retract", True),
    ]
