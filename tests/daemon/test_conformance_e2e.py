"""The comparison of whole runs is worth something: it sees what differs, and excuses no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.conformance_kinds.e2e import replay
from benchmarks.conformance_kinds.verdict import Agreement, Verdict

BOOK = """
- name: A
  hosts: all
  sources:
    - eda.builtin.generic: {payload: [{i: 1}, {i: 2}], event_delay: 0.1}
  rules:
    - name: one
      condition: event.i == 1
      actions:
        - debug: {msg: "got {{ event.i }}"}
        - none:
    - name: two
      condition: event.i == 2
      action: {debug: {msg: "%s"}}
"""
FINE = BOOK % "two"
META = {"source": {"name": "eda.builtin.generic", "type": "eda.builtin.generic"}}


def firing(rule: str, i: int, *actions: tuple[str, str]) -> dict[str, Any]:
    """Return a recorded firing."""
    return {
        "ruleset": "A",
        "rule": rule,
        "matching_events": {"m": {"i": i, "meta": META}},
        "actions": [{"action": name, "status": status} for name, status in actions],
    }


ONE = firing("one", 1, ("debug", "successful"), ("noop", "successful"))
TWO = firing("two", 2, ("debug", "successful"))
PRINTED = [{"banner": "debug", "content": text} for text in ("got 1", "two")]


def verdict(folder: Path, book: str = FINE, level: int = 3, **changes: Any) -> Verdict:
    """Replay one recording of `book` with `changes` in it."""
    (folder / "tests" / "playbooks").mkdir(parents=True)
    (folder / "tests" / "playbooks" / "inventory.yml").write_text("all: {hosts: {localhost: }}\n")
    (folder / "tests" / "book.yml").write_text(book)
    record = {
        "case": "c",
        "rulebook": "tests/book.yml",
        "inputs": {},
        "order": "stable",
        "wall_s": [1.0],
        "timed_out": False,
        "exit_code": 0,
        "firings": [ONE, TWO],
        "printed": PRINTED,
        "ansible_events": {},
        "log": [],
        **changes,
    }
    (folder / "e2e").mkdir()
    (folder / "e2e" / "c.json").write_text(json.dumps(record))
    (only,) = replay(folder, level)
    return only


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"order": "set", "firings": [TWO, ONE]},
        {"order": "unstable", "firings": [], "level": 2},
        {"level": 2, "printed": []},
        {"level": 1, "firings": [{**ONE, "matching_events": {"m": {"i": 9}}}, TWO]},
    ],
)
def test_what_is_alike_agrees(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Each level compares what it says and no more; an unstable order is not compared."""
    found = verdict(tmp_path, **changes)
    assert found.agreement is Agreement.AGREE, found.detail


@pytest.mark.parametrize(
    "changes",
    [
        {"exit_code": 1},
        {"firings": [TWO, ONE]},
        {"firings": [ONE]},
        {"firings": [ONE, TWO, TWO]},
        {"firings": [ONE, firing("two", 2, ("debug", "failed"))]},
        {"firings": [firing("one", 1, ("debug", "successful")), TWO]},
        {"level": 2, "firings": [{**ONE, "matching_events": {"m": {"i": 9}}}, TWO]},
        {"printed": PRINTED[:1]},
    ],
)
def test_what_differs_is_told(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A code, an order, a number, a status, an event, a printed text: each other one differs."""
    found = verdict(tmp_path, **changes)
    assert found.agreement is Agreement.DIFFER
    assert found.detail


def test_a_refusal_of_both_is_on_purpose_for_its_code(tmp_path: Path) -> None:
    """A wrong rulebook ends both before anything runs, with codes of their own."""
    found = verdict(tmp_path, "- name: A\n", exit_code=1, firings=[], printed=[])
    assert found.agreement is Agreement.ON_PURPOSE


def test_a_rulebook_that_only_we_refuse_differs(tmp_path: Path) -> None:
    """What ansible-rulebook ran and we refuse is no difference on purpose."""
    assert verdict(tmp_path, "- name: A\n").agreement is Agreement.DIFFER


def test_an_undefined_variable_is_on_purpose_only_where_they_died_of_it(tmp_path: Path) -> None:
    """Their process ended, our action failed; without the one in their log it would differ."""
    book = BOOK % "{{ nope }}"
    died = verdict(tmp_path / "a", book, firings=[], printed=[], log=["'nope' is undefined"])
    assert died.agreement is Agreement.ON_PURPOSE
    assert verdict(tmp_path / "b", book).agreement is Agreement.DIFFER
