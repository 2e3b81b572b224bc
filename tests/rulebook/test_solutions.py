from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from selfheal.model import OnFailure, Risk, Strategy
from selfheal.recovery.validation import KINDS as RECOVERY_KINDS
from selfheal.rulebook import load_rulebook
from selfheal.rulebook.schema.validation import KINDS
from tests.rulebook.conftest import Refused, Write

SOLUTION = """\
- name: restart
  root_cause: web-*
  strategy: quick_fix
  risk: low
  steps:
    - playbook: restart.yml
"""


def book(solutions: str) -> str:
    return "- name: web\n  hosts: web\n  solutions:\n" + indent(solutions, "    ")


def with_validation(text: str) -> str:
    return book(f"{SOLUTION}  validate:\n    - {text}\n")


def test_a_solution_with_all_it_can_say(write: Write) -> None:
    """Every key of a solution, its steps and its validations is found again, units converted."""
    path = write(
        book("""\
- name: restart
  description: Start it again.
  root_cause: web-*
  strategy: deep
  risk: high
  estimated_time: 1m30s
  steps:
    - name: stop it
      playbook: stop.yml
      rollback: start.yml
      vars: {service: "{{ component }}"}
      limit: "{{ target }}"
      timeout: 90
      on_failure: continue
      idempotent: true
    - playbook: start.yml
  validate:
    - http: {url: "http://{{ target }}/", status: [200, 204]}
      stable_for: 5s
      within: 1m
      retries: 7
      interval: 500ms
      timeout: 2s
    - event:
""")
    )
    [solution] = load_rulebook(path).rulesets[0].solutions
    assert (solution.name, solution.root_cause) == ("restart", "web-*")
    assert (solution.strategy, solution.risk) == (Strategy.DEEP, Risk.HIGH)
    assert (solution.estimated_time, solution.description) == (90.0, "Start it again.")
    assert (solution.hosts, solution.ruleset) == (("web",), "web")
    stop, start = solution.steps
    assert (stop.name, stop.playbook, stop.rollback) == ("stop it", "stop.yml", "start.yml")
    assert (stop.vars, stop.limit) == ({"service": "{{ component }}"}, "{{ target }}")
    assert (stop.timeout, stop.on_failure, stop.idempotent) == (90.0, OnFailure.CONTINUE, True)
    assert (start.name, start.timeout, start.on_failure) == ("start.yml", 300.0, OnFailure.ROLLBACK)
    http, event = solution.validate
    assert (http.kind, http.args["status"]) == ("http", [200, 204])
    assert (http.stable_for, http.within, http.retries) == (5.0, 60.0, 7)
    assert (http.interval, http.timeout) == (0.5, 2.0)
    assert (event.kind, event.args, event.within) == ("event", {}, 30.0)


def test_a_ruleset_of_solutions_needs_neither_sources_nor_rules(write: Write) -> None:
    """A knowledge base may stand in a file of its own."""
    ruleset = load_rulebook(write(book(SOLUTION))).rulesets[0]
    assert (ruleset.sources, ruleset.rules) == ((), ())


@pytest.mark.parametrize(
    ("solution", "message"),
    [
        (SOLUTION.replace("quick_fix", "quickfix"), "must be one of quick_fix, standard"),
        (SOLUTION.replace("low", "lo"), "must be one of low, medium"),
        (SOLUTION.replace("  risk: low\n", ""), "the key 'risk' is missing"),
        (SOLUTION.replace("  root_cause: web-*\n", ""), "the key 'root_cause' is missing"),
        (SOLUTION.replace("quick_fix", "manual"), "it has no steps"),
        (SOLUTION.split("  steps")[0], "the solution has no steps"),
        (SOLUTION + "      timeout: 0\n", "longer than nothing"),
        (SOLUTION + "      timeout: soon\n", "must be a duration"),
        (SOLUTION + "      on_failure: cry\n", "must be one of rollback, continue, abort"),
        (SOLUTION + "      rolback: x.yml\n", "unknown key 'rolback'"),
        (SOLUTION + "      vars: {a: '{{ b'}\n", "broken Jinja"),
        (SOLUTION * 2, "solution 'restart' is defined twice"),
        (
            SOLUTION + "      name: a\n    - {name: a, playbook: b.yml}\n",
            "step 'a' is defined twice",
        ),
    ],
)
def test_wrong_solutions_are_refused(refused: Refused, solution: str, message: str) -> None:
    """Unknown values, missing keys, doubles and contradictions are told."""
    [problem] = refused(book(solution))
    assert message in problem.message
    assert problem.line > 2


VALIDATIONS = [
    '{http: {url: "http://x/", method: HEAD, headers: {a: b}, json: {a.b: 1}, verify: false}}',
    "{tcp: {host: a, port: 80, send: x, expect: y, tls: true}}",
    '{tcp: {address: "{{ target }}"}}',
    '{promql: {expr: up == 1, url: "http://x", op: "<", value: 0.5}}',
    "{command: {argv: [true], rc: 0, regex: a}}",
    "{command: {argv: 'test -e /x'}}",
    "{playbook: {name: check.yml, vars: {a: 1}, limit: web}}",
    "{event: }",
]


@pytest.mark.parametrize("text", VALIDATIONS)
def test_every_kind_of_validation_is_taken(write: Write, text: str) -> None:
    """Each kind takes its arguments as written, Jinja included."""
    text = text.replace("[true]", "['true']")
    [validation] = load_rulebook(write(with_validation(text))).rulesets[0].solutions[0].validate
    assert validation.kind in KINDS


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("{htp: {url: x}}", "unknown kind of validation 'htp'", "'http'"),
        ("{within: 5s}", "exactly one kind", ""),
        ("{http: {url: x}, event: }", "exactly one kind", ""),
        ("http", "must be a validation, not the text", "http"),
        ("{http: }", "must be a mapping, not empty", ""),
        ("{http: {}}", "'url' is missing", ""),
        ("{http: {url: x, stat: 200}}", "unknown key 'stat'", "'status'"),
        ("{http: {url: x, status: ok: }}", "broken YAML", ""),
        ("{http: {url: x, status: true}}", "status code", ""),
        ("{tcp: {host: x, port: 1.5}}", "must be a whole number", ""),
        ("{promql: {expr: x, op: '<>'}}", "'=='", ""),
        ("{command: {argv: 5}}", "must be text", ""),
        ("{event: , withn: 5s}", "unknown key 'withn'", "'within'"),
        ("{event: , within: 0s}", "longer than nothing", ""),
        ("{event: , within: 1s, stable_for: 2s}", "shorter than stable_for", ""),
        ("{event: , retries: 0}", "greater than or equal to 1", ""),
    ],
)
def test_wrong_validations_are_refused(
    refused: Refused, text: str, message: str, hint: str
) -> None:
    """Unknown kinds, keys and impossible times are told."""
    problem = refused(with_validation(text))[0]
    assert message in problem.message
    assert hint in problem.hint


def test_rulebook_and_recovery_know_the_same_validations() -> None:
    """What can be written is what can be run: the same kinds with the same keys."""

    def keys(model: type) -> set[str]:
        return {field.alias or name for name, field in model.model_fields.items()}  # type: ignore[attr-defined]  # pydantic's

    ours = {kind: keys(model) for kind, model in KINDS.items()}
    assert ours == {kind: keys(item.args) for kind, item in RECOVERY_KINDS.items()}


def test_missing_playbooks_are_told_with_the_nearest_name(refused: Refused, tmp_path: Path) -> None:
    """With the playbook folder at hand each missing file is a problem; Jinja names are not."""
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "restart.yml").touch()
    solution = SOLUTION.replace("restart.yml", "restrat.yml") + (
        "      rollback: undo.yml\n"
        '    - playbook: "{{ component }}.yml"\n'
        "  validate:\n    - playbook: {name: check.yml}\n"
    )
    problems = refused(book(solution), playbooks=folder)
    assert [(problem.line, problem.message) for problem in problems] == [
        (9, "playbook file 'restrat.yml' is missing"),
        (10, "rollback file 'undo.yml' is missing"),
        (13, "playbook file 'check.yml' is missing"),
    ]
    assert problems[0].hint == "did you mean 'restart.yml'?"


def test_nobody_looks_for_playbooks_without_a_folder(write: Write) -> None:
    """Without `playbooks` a rulebook can be checked on another machine."""
    assert load_rulebook(write(book(SOLUTION))).rulesets[0].solutions[0].steps
