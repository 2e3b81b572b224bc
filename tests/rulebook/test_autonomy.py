"""`autonomy:` on a rule."""

from __future__ import annotations

import pytest

from selfheal.model import Autonomy
from selfheal.rulebook import load_rulebook
from selfheal.rulebook.lint import lint_files
from tests.rulebook.conftest import Refused, Write

BOOK = """\
- name: web
  hosts: all
  sources: []
  rules:
    - name: down
      condition: event.i == 1
      autonomy: approve
      action: {heal: {fault: deadlock, component: web}}
"""


@pytest.mark.parametrize("level", Autonomy, ids=lambda one: one.value)
def test_each_level_can_be_written(write: Write, level: Autonomy) -> None:
    """A rule says how much it may do by itself."""
    path = write(BOOK.replace("approve", level.value))
    assert load_rulebook(path).rulesets[0].rules[0].autonomy is level
    assert lint_files([path]).warnings == ()


def test_a_rule_that_says_nothing_has_the_default(write: Write) -> None:
    """What the default is, the configuration knows."""
    path = write(BOOK.replace("      autonomy: approve\n", ""))
    assert load_rulebook(path).rulesets[0].rules[0].autonomy is None


@pytest.mark.parametrize("wrong", ["aproove", "true", "", "[auto]"])
def test_anything_else_is_refused_at_its_place(refused: Refused, wrong: str) -> None:
    """A typo must not become full autonomy."""
    [problem] = refused(BOOK.replace("approve", wrong))
    assert problem.line == 7
    assert "observe, suggest, approve, auto" in problem.message
    if wrong == "aproove":
        assert problem.hint == "did you mean 'approve'?"


def test_autonomy_without_a_healing_is_a_finding(write: Write) -> None:
    """Whoever writes it believes that the rule's playbook is held; it is not."""
    path = write(BOOK.replace("heal: {fault: deadlock, component: web}", "debug: "))
    [finding] = lint_files([path]).warnings
    assert (finding.code, finding.problem.line) == ("SH105", 7)
