from __future__ import annotations

import pytest
import yaml

from selfheal.actions.registry import ACTIONS as RUNNABLE
from selfheal.rulebook import load_rulebook
from selfheal.rulebook.schema.actions import ACTIONS
from tests.rulebook.conftest import Refused, Write

TAKEN = {
    "none": ["none:", "none: {}", "none: {anything: 1}"],
    "debug": ["debug:", "debug: {msg: a}", "debug: {msg: [a, b]}", "debug: {var: event.i}"],
    "print_event": ["print_event:", "print_event: {pretty: true, var_root: i}"],
    "set_fact": ["set_fact: {fact: {a: 1}}", "set_fact: {fact: {a: 1}, ruleset: x}"],
    "retract_fact": ["retract_fact: {fact: {a: 1}, partial: false}"],
    "post_event": ["post_event: {event: {a: 1}, ruleset: x}"],
    "shutdown": ["shutdown:", "shutdown: {delay: 0.5, message: bye, kind: now}"],
    "run_playbook": ["run_playbook: {name: a.yml, extra_vars: {a: 1}, retries: 2, delay: 1.5}"],
    "run_module": [
        "run_module: {name: a.b.c, module_args: {a: 1}}",
        "run_module: {name: a, module_args: x}",
    ],
    "run_job_template": ["run_job_template: {name: a, organization: b, labels: [c], delay: 1}"],
    "run_workflow_template": ["run_workflow_template: {name: a, organization: b}"],
    "pg_notify": ['pg_notify: {dsn: a, channel: b, event: "{{ event }}"}'],
    "heal": [
        "heal: {fault: deadlock, component: db}",
        'heal: {fault: x, component: db, severity: "{{ event.s }}", labels: {a: b}, target: t}',
    ],
    "resolve": ["resolve: {component: db}", "resolve: {component: db, target: t}"],
}

REFUSED = [
    ("{dbug: }", "unknown action 'dbug'", "did you mean 'debug'?"),
    ("{explode: }", "unknown action 'explode'", "known here: debug"),
    ("debug", "a mapping, not a text", "write `debug:`"),
    ("5", "must be an action, not the number 5", "NAME:"),
    ("{}", "one action has one name, here are 0", "actions:"),
    ("{debug: , none: }", "one action has one name, here are 2", "actions:"),
    ("{debug: {msg: a, var: b}}", "msg or var, not both", ""),
    ("{debug: {msg: 5}}", "must be text, not the number 5", "quotes"),
    ("{debug: {msg: [5]}}", "must be text, not the number 5", "quotes"),
    ("{debug: {mgs: a}}", "unknown key 'mgs'", "did you mean 'msg'?"),
    ("{set_fact: }", "must be a mapping, not empty", ""),
    ("{set_fact: {fact: 5}}", "must be a mapping, not the number 5", ""),
    ("{post_event: {event: []}}", "must be a mapping, not a list", ""),
    ("{shutdown: {kind: later}}", "'graceful' or 'now'", ""),
    ("{run_playbook: {}}", "the key 'name' is missing", ""),
    ("{run_playbook: {name: a, retries: '3'}}", "must be a whole number, not the text '3'", ""),
    ("{run_playbook: {name: a, retries: true}}", "must be a whole number, not true", ""),
    ("{run_playbook: {name: a, post_events: 1}}", "must be true or false, not the number 1", ""),
    ("{run_job_template: {name: a}}", "the key 'organization' is missing", ""),
    ("{heal: {fault: x}}", "the key 'component' is missing", ""),
    ("{heal: {component: x}}", "the key 'fault' is missing", ""),
    ("{heal: {fault: x, component: y, severity: bad}}", "must be one of info, warning", ""),
    ("{heal: {fault: x, component: y, severty: info}}", "unknown key 'severty'", "'severity'"),
    ("{resolve: {target: x}}", "the key 'component' is missing", ""),
]


def book(action: str) -> str:
    head = "- name: x\n  hosts: all\n  sources: []\n  rules:\n    - name: r\n"
    return f"{head}      condition: true\n      action: {action}\n"


@pytest.mark.parametrize(
    ("name", "action"), [(name, text) for name, texts in TAKEN.items() for text in texts]
)
def test_each_action_takes_its_arguments_as_written(write: Write, name: str, action: str) -> None:
    """What is accepted is kept untouched: no defaults are filled in, no Jinja is rendered."""
    rulebook = load_rulebook(write(book(f"{{{action} }}")))
    [spec] = rulebook.rulesets[0].rules[0].actions
    assert spec.name == name
    assert spec.args == (yaml.safe_load(action)[name] or {})


def test_every_action_has_an_example() -> None:
    """The list above leaves none out."""
    assert set(TAKEN) == set(ACTIONS)


def test_what_can_be_written_can_be_run() -> None:
    """The schema and the stage that acts know the same actions."""
    assert set(ACTIONS) == set(RUNNABLE)


@pytest.mark.parametrize(("action", "message", "hint"), REFUSED)
def test_wrong_actions_are_refused(refused: Refused, action: str, message: str, hint: str) -> None:
    """Unknown names, unknown or missing arguments and wrong types are told in line 7."""
    [problem] = refused(book(action))
    assert message in problem.message
    assert hint in problem.hint
    assert problem.line == 7
    assert problem.path.startswith("[0].rules[0].action")
