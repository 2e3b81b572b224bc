from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from selfheal.errors import RulebookError
from selfheal.model import ExecutionStrategy, Quantifier, ThrottleKind
from selfheal.model.condition import Compare, Literal
from selfheal.model.condition import Path as FieldPath
from selfheal.rulebook import load_directory, load_rulebook
from selfheal.yamlfile import Vaulted
from tests.rulebook.conftest import Refused, Write

SMALL = """
- name: {name}
  hosts: all
  sources: []
  rules: []
"""


def book(rule: str) -> str:
    """A rulebook with one rule, its keys given."""
    head = "- name: x\n  hosts: all\n  sources:\n    - range: {limit: 1}\n  rules:\n    - name: r\n"
    return head + indent(rule, "      ")


def test_a_whole_rulebook_becomes_nouns(write: Write) -> None:
    """Every part of the file is found again in the rulebook, units converted."""
    path = write("""\
        - name: " web "
          hosts: web
          gather_facts: true
          match_multiple_rules: true
          default_events_ttl: 10 minutes
          execution_strategy: parallel
          sources:
            - name: ticks
              eda.builtin.range: {limit: 5}
              filters:
                - eda.builtin.noop:
            - alertmanager:
          rules:
            - name: first
              condition:
                all:
                  - event.i == 1
                  - event.j is defined
                timeout: 5 seconds
              throttle:
                accumulate_within: 90s
                threshold: 3
                group_by_attributes: [event.meta.hosts]
              actions:
                - debug:
                - print_event: {pretty: true}
            - name: second
              enabled: false
              condition: true
              action: {none: }
        """)
    [ruleset] = load_rulebook(path).rulesets
    assert (ruleset.name, ruleset.hosts, ruleset.default_events_ttl) == ("web", ("web",), 600.0)
    assert ruleset.gather_facts
    assert ruleset.match_multiple_rules
    assert ruleset.execution_strategy is ExecutionStrategy.PARALLEL
    ticks, alerts = ruleset.sources
    assert (ticks.name, ticks.type, ticks.args) == ("ticks", "eda.builtin.range", {"limit": 5})
    assert [item.name for item in ticks.filters] == ["eda.builtin.noop"]
    assert (alerts.name, alerts.args, alerts.filters) == ("alertmanager", {}, ())
    first, second = ruleset.rules
    assert first.condition.quantifier is Quantifier.ALL
    assert first.condition.timeout == 5.0
    assert len(first.condition.expressions) == 2
    assert first.condition_text == "all: event.i == 1, event.j is defined; timeout: 5 seconds"
    assert first.throttle is not None
    assert first.throttle.kind is ThrottleKind.ACCUMULATE_WITHIN
    assert (first.throttle.window, first.throttle.threshold) == (90.0, 3)
    assert [action.name for action in first.actions] == ["debug", "print_event"]
    assert first.actions[1].args == {"pretty": True}
    assert first.place == f"{path}:14:7"
    assert first.actions[1].place == f"{path}:26:11"
    assert not second.enabled
    assert second.condition.expressions == (Literal(True),)


def test_old_names_of_plugins_are_led_to_the_new(write: Write) -> None:
    """`ansible.eda.range` and its kin moved into the engine; rulebooks need no edit."""
    path = write("""\
        - name: x
          hosts: all
          sources:
            - ansible.eda.range:
              filters:
                - ansible.eda.dashes_to_underscores:
          rules: []
        """)
    [source] = load_rulebook(path).rulesets[0].sources
    assert source.type == "eda.builtin.range"
    assert source.filters[0].name == "eda.builtin.dashes_to_underscores"


def test_all_problems_of_a_file_are_told_at_once(refused: Refused) -> None:
    """Schema, conditions, names, files and Jinja: one load tells them all, in file order."""
    problems = refused(
        """\
        - name: x
          hosts: all
          sources:
            - range: {limit: 1}
            - range: {limit: 1}
              webhook: {}
          rules:
            - name: one
              condition: event.i = 1
              action: {debug: }
            - name: one
              condition: {any: [event.i == 1, "event.j =="]}
              action: {dbug: }
            - name: two
              conditon: event.i == 1
              action: {run_playbook: {nam: x.yml}}
            - name: three
              condition: event.i == 1
              action: {debug: {msg: "{{ event.i"}}
            - name: four
              condition: true
        """
    )
    assert [problem.line for problem in problems] == [5, 9, 11, 12, 13, 14, 15, 16, 16, 19, 20]
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)
    by_line = {problem.line: problem for problem in problems}
    assert "exactly one type" in by_line[5].message
    assert by_line[9].column == 26
    assert by_line[9].path == "[0].rules[0].condition"
    assert by_line[9].hint == "compare with '=='"
    assert "defined twice, first in line 8" in by_line[11].message
    assert by_line[12].path == "[0].rules[1].condition.any[1]"
    assert by_line[13].hint == "did you mean 'debug'?"
    assert "'condition' is missing" in by_line[14].message
    assert by_line[15].hint == "did you mean 'condition'?"
    assert "broken Jinja" in by_line[19].message
    assert "no action" in by_line[20].message


def test_duplicate_keys_do_not_hide_other_problems(refused: Refused) -> None:
    """A file that is bad YAML in one place is still checked in the others."""
    problems = refused(book("condition: event.i = 1\ncondition: event.i =\naction: {debug: }"))
    assert [problem.line for problem in problems] == [7, 8]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the rulebook is empty"),
        ("[]", "the rulebook is empty"),
        ("name: x", "a rulebook must be a list of rulesets, not a mapping"),
        ("just text", "must be a list of rulesets, not the text 'just text'"),
        ("- 5", "must be a mapping, not the number 5"),
        ("- name: x\n  hosts: [all]\n  sources: []\n  rules: []", "must be text, not a list"),
        ("- name: ' '\n  hosts: all\n  sources: []\n  rules: []", "must not be blank"),
        ("- name: x\n  hosts: all\n  rules: []", "the key 'sources' is missing"),
        ("- name: x\n  hosts: all\n  sources: []", "the key 'rules' is missing"),
        (
            "- name: x\n  hosts: all\n  sources: []\n  rules: []\n  topology: {}",
            "not supported yet",
        ),
        (
            "- name: x\n  hosts: all\n  sources: []\n  rules: []\n  monitors: []",
            "not supported yet",
        ),
        (
            "- name: x\n  hosts: all\n  sources: [range]\n  rules: []",
            "must be a source, not the text",
        ),
        (
            "- name: x\n  hosts: all\n  sources: [{range: [1]}]\n  rules: []",
            "arguments of range must be",
        ),
        (book("condition: 1\naction: {debug: }"), "must be a condition, not the number 1"),
        (book("condition: {all: []}\naction: {debug: }"), "at least 1 item"),
        (book("condition: {all: [true]}\naction: {debug: }"), "must be a text, not true"),
        (book("condition: {some: [a]}\naction: {debug: }"), "one of all, any, not_all"),
        (
            book("condition: {any: [event.i], timeout: 5s}\naction: {debug: }"),
            "unknown key 'timeout'",
        ),
        (book("condition: {not_all: [event.i]}\naction: {debug: }"), "'timeout' is missing"),
        (book("condition: {all: [event.i], timeout: 5}\naction: {debug: }"), "must be a duration"),
        (
            book("condition: {all: [event.i], timeout: 5 weeks}\naction: {debug: }"),
            "must be a duration",
        ),
        (book("condition: true\nenabled: 'yes'\naction: {debug: }"), "must be true or false"),
        (book("condition: true\naction: {debug: }\nactions: []"), "not both"),
        (book("condition: true\nthrottle:\naction: {debug: }"), "must be a mapping, not empty"),
    ],
)
def test_what_ansible_rulebook_refuses_is_refused(
    refused: Refused, text: str, message: str
) -> None:
    """Wrong shapes give one problem each, in plain words."""
    [problem] = refused(text)
    assert message in problem.message


@pytest.mark.parametrize(
    ("throttle", "message"),
    [
        ("{group_by_attributes: [event.i]}", "exactly one of"),
        ("{once_within: 5s, once_after: 5s, group_by_attributes: []}", "exactly one of"),
        ("{once_within: 5s}", "'group_by_attributes' is missing"),
        ("{once_within: 5 weeks, group_by_attributes: []}", "must be a duration"),
        ("{accumulate_within: 5s, group_by_attributes: []}", "needs a threshold"),
        ("{accumulate_within: 5s, threshold: 0, group_by_attributes: []}", "greater than or equal"),
    ],
)
def test_throttles_are_exact(refused: Refused, throttle: str, message: str) -> None:
    """A throttle has one kind with all it needs."""
    [problem] = refused(book(f"condition: true\nthrottle: {throttle}\naction: {{debug: }}"))
    assert message in problem.message


def test_an_empty_list_of_actions_does_nothing(write: Write) -> None:
    """`actions: []` is taken, as by ansible-rulebook."""
    rulebook = load_rulebook(write(book("condition: true\nactions: []")))
    assert rulebook.rulesets[0].rules[0].actions == ()


def test_variables_are_bound_when_given(write: Write) -> None:
    """Conditions and rule names hold the variables' values; without variables they stay."""
    path = write(book('condition: event.i == vars.limit\naction: {debug: {msg: "{{ x }}"}}'))
    path.write_text(path.read_text().replace("name: r", 'name: "over {{ limit }}"'))
    field = FieldPath("event", ("i",), "i")
    bound = load_rulebook(path, variables={"limit": 7}).rulesets[0].rules[0]
    assert bound.name == "over 7"
    assert bound.condition.expressions == (Compare("==", field, Literal(7)),)
    assert bound.actions[0].args == {"msg": "{{ x }}"}
    raw = load_rulebook(path).rulesets[0].rules[0]
    assert raw.name == "over {{ limit }}"
    assert raw.condition.expressions[0] == Compare(
        "==", field, FieldPath("vars", ("limit",), "limit")
    )


def test_a_missing_variable_is_a_problem_beside_the_others(refused: Refused) -> None:
    """An unknown variable is told with its place, and what it may have been meant to be."""
    problems = refused(
        book("condition: event.i == vars.limt\naction: {dbug: }"), variables={"limit": 7}
    )
    assert [problem.line for problem in problems] == [7, 8]
    assert problems[0].message == "condition: there is no variable vars.limt"
    assert problems[0].hint == "did you mean 'limit'?"


def test_encrypted_values_pass_where_text_is_asked_for(write: Write) -> None:
    """`!vault` values are texts that only the engine can read, later."""
    rule = (
        "condition: true\naction:\n  debug:\n    msg: !vault |\n      $ANSIBLE_VAULT;1.1;AES256\n"
    )
    rulebook = load_rulebook(write(book(rule)))
    assert isinstance(rulebook.rulesets[0].rules[0].actions[0].args["msg"], Vaulted)


def test_a_folder_is_loaded_by_name(tmp_path: Path) -> None:
    """`*.yml` and `*.yaml` are loaded in order; other files and hidden ones are not."""
    for name in ("b.yml", "a.yaml", ".c.yml", "d.txt"):
        (tmp_path / name).write_text(SMALL.format(name=name))
    rulebooks = load_directory(tmp_path)
    assert [Path(rulebook.path).name for rulebook in rulebooks] == ["a.yaml", "b.yml"]


def test_a_folder_tells_the_problems_of_all_its_files(tmp_path: Path) -> None:
    """One load shows what is wrong in every file."""
    (tmp_path / "a.yml").write_text("- name: 5")
    (tmp_path / "b.yml").write_text("- [")
    with pytest.raises(RulebookError) as caught:
        load_directory(tmp_path)
    assert {Path(problem.file).name for problem in caught.value.problems} == {"a.yml", "b.yml"}


def test_names_are_unique_across_files(tmp_path: Path) -> None:
    """Events are posted to rulesets by name, so two files can't have the same."""
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(SMALL.format(name="same"))
    with pytest.raises(RulebookError) as caught:
        load_directory(tmp_path)
    [problem] = caught.value.problems
    assert "ruleset 'same' is also defined in" in problem.message


def test_a_missing_file_or_folder_is_a_problem(tmp_path: Path) -> None:
    """What isn't there is refused, not taken for empty."""
    with pytest.raises(RulebookError, match="no such rulebook"):
        load_directory(tmp_path / "none")
    with pytest.raises(RulebookError, match="can't be read"):
        load_rulebook(tmp_path / "none.yml")
