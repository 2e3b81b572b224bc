from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.rulebook.lint import lint_files
from tests.rulebook.conftest import Write

BOOK = """\
- name: web
  hosts: all
  sources: []
  rules:
    - name: first
      condition: event.i == 1
      action: {heal: {fault: deadlock, component: web, root_cause: web-dead}}
    - name: second
      condition: event.i == 2
      action: {debug: }
  solutions:
    - name: restart
      root_cause: web-*
      strategy: quick_fix
      risk: medium
      steps:
        - {name: restart, playbook: a.yml, rollback: b.yml}
      validate:
        - event:
"""


def codes(path: Path) -> list[tuple[str, int]]:
    report = lint_files([path])
    assert report.errors == ()
    return [(finding.code, finding.problem.line) for finding in report.warnings]


def test_a_sound_rulebook_has_no_findings(write: Write) -> None:
    """The example all the others change is clean."""
    assert codes(write(BOOK)) == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (", rollback: b.yml", "", [("SH101", 17)]),
        ("      validate:\n        - event:\n", "", [("SH102", 12)]),
        ("root_cause: web-*", "root_cause: db-*", [("SH103", 13)]),
        ("event.i == 2", "event.i == 1", [("SH104", 8)]),
    ],
)
def test_each_warning_has_its_code_and_place(
    write: Write, old: str, new: str, found: list[tuple[str, int]]
) -> None:
    """One change to the sound rulebook, one finding, in the line to look at."""
    assert codes(write(BOOK.replace(old, new))) == found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Nothing to undo when the risk is low.
        (", rollback: b.yml}", "}\n      description: x"),
        # A root cause that only the run knows may be any.
        ("root_cause: web-dead", 'root_cause: "{{ event.cause }}"'),
        (", root_cause: web-dead", ""),
        # To a condition 1 and true are two things.
        ("event.i == 2", "event.i == true"),
        # A throttled rule lets events go; a disabled one takes none.
        ("      condition: event.i == 1", "      enabled: false\n      condition: event.i == 2"),
        ("  sources: []", "  match_multiple_rules: true\n  sources: []"),
    ],
)
def test_no_warning_without_a_reason(write: Write, old: str, new: str) -> None:
    """What looks alike but is sound is left alone."""
    book = BOOK.replace(old, new)
    if "description" in new:
        book = book.replace("risk: medium", "risk: low")
    if "match_multiple" in new:
        book = book.replace("event.i == 2", "event.i == 1")
    assert codes(write(book)) == []


def test_a_cause_may_be_named_in_another_file(tmp_path: Path) -> None:
    """Files are checked together: rules in one, solutions in the other."""
    rules, solutions = BOOK.split("  solutions:\n")
    (tmp_path / "rules.yml").write_text(rules)
    (tmp_path / "solutions.yml").write_text(f"- name: kb\n  hosts: all\n  solutions:\n{solutions}")
    assert codes(tmp_path) == []
    assert codes(tmp_path / "solutions.yml") == [("SH103", 5)]


def test_a_report_holds_errors_and_warnings_of_all_targets(tmp_path: Path) -> None:
    """A refused file does not keep the others from being checked; a missing one is an error."""
    (tmp_path / "a.yml").write_text("- [")
    (tmp_path / "b.yml").write_text(BOOK.replace(", rollback: b.yml", ""))
    report = lint_files([tmp_path, tmp_path / "none.yml"])
    assert report.files == 2
    assert [Path(problem.file).name for problem in report.errors] == ["none.yml", "a.yml"]
    [finding] = report.warnings
    assert str(finding).startswith(f"{tmp_path / 'b.yml'}:17:11: SH101 step 'restart'")
