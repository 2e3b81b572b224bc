"""Hostile values, one by one, through every place that event data can reach without Ansible."""

from __future__ import annotations

import ast
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from selfheal.cli.output import print_rows
from selfheal.errors import EventError, ExecutionError, TemplateError
from selfheal.model import Attempt, Healing, HealingState, Risk, Solution, Step, Strategy
from selfheal.recovery.requests import RequestBuilder
from selfheal.recovery.validation import KINDS
from selfheal.recovery.validation.holds import _arguments as arguments_of
from selfheal.sources import clean_event, parse_json
from tests.actions.bench import Bench
from tests.rules.build import Bench as Matching
from tests.rules.build import rule
from tests.security.hostile import ANSIBLE_KEYS, MARKER, TEXTS, VALUES

every_text = pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))


@pytest.fixture(autouse=True)
def nothing_was_executed() -> Any:
    """No value may create the marker."""
    yield
    assert not Path(MARKER).exists()


def test_the_collection_is_large() -> None:
    """At least sixty nasty values, no two alike."""
    assert len(set(TEXTS.values())) == len(TEXTS) >= 60


@pytest.mark.parametrize("name", VALUES)
def test_what_json_does_not_have_stays_outside(name: str) -> None:
    """NaN, half a surrogate, a nest of 200 and their like are refused at the door."""
    with pytest.raises(EventError):
        clean_event({"value": VALUES[name]})


@every_text
def test_a_text_comes_in_as_it_is(text: str) -> None:
    """The door changes nothing in a text."""
    event = parse_json(json.dumps({"x": text}).encode())
    assert clean_event(event) == {"x": text}


@every_text
async def test_text_is_only_text_in_actions(text: str) -> None:
    """Messages, facts, events and extra variables hold the text itself, never what it spells as a
    template; the terminal gets no control character."""
    bench = Bench(
        [
            ("debug", {"msg": "{{ event.x }}"}),
            ("print_event", {}),
            ("set_fact", {"fact": {"x": "{{ event.x }}"}}),
            ("post_event", {"event": {"x": "got {{ event.x }}"}}),
            ("run_playbook", {"name": "a.yml", "extra_vars": {"x": "{{ event.x }}"}}),
        ]
    )
    await bench.fire({"x": text})
    assert not [char for line in bench.printed for char in line if _controls(char)]
    assert bench.facts[0][1]["x"] in (text, _literal(text))
    assert bench.events[0][1]["x"] == f"got {text}"
    (request,) = bench.runner.requests
    assert request.extra_vars["x"] == text


@every_text
def test_no_text_is_a_condition(text: str) -> None:
    """A value is compared, never evaluated: it equals itself and matches nothing else."""
    bench = Matching(
        rule("same", "event.x == vars.text"),
        rule("other", 'event.x == "49"'),
        rule("found", 'event.x is search("needle", ignorecase=true)'),
        variables={"text": text},
    )
    assert [fired[0] for fired in bench.event(x=text)] == ["same"]


@every_text
async def test_a_fault_is_named_by_one_printable_line(text: str) -> None:
    """Component, target and labels of a fault are the text on one line, or it is refused."""
    args = {"fault": "deadlock", "component": "c", "target": "{{ event.x }}"}
    bench = Bench([("heal", {**args, "labels": {"l": "{{ event.x }}"}})])
    (result,) = await bench.fire({"x": text})
    if result.status.value == "failed":
        assert not text.strip() or len(text) > 255 or not _visible(text), result.message
        return
    (fault,) = bench.faults
    for named in (fault.target, fault.labels["l"]):
        assert named
        assert "\n" not in named
        assert not [char for char in named if unicodedata.category(char)[0] == "C"]
        assert named == " ".join(_visible(text).split())


@every_text
async def test_no_text_is_a_pattern_of_hosts(text: str) -> None:
    """`meta.hosts` may list plain names; a pattern, an option, a file, a group is refused."""
    bench = Bench([("run_playbook", {"name": "a.yml"})])
    (result,) = await bench.fire({"meta": {"hosts": [text]}})
    if result.status.value == "successful":
        (request,) = bench.runner.requests
        plain = request.limit.replace(",", "").replace("-", "").replace(".", "").replace("_", "")
        assert plain.isalnum()
        assert request.limit != "all" or not text.strip()


@every_text
async def test_no_text_adds_a_word_to_a_module(text: str) -> None:
    """Free-form arguments and commands take event data only as one harmless word."""
    actions: list[tuple[str, dict[str, Any]]] = [
        ("run_module", {"name": "service", "module_args": "name={{ event.x }} state=started"}),
        ("run_module", {"name": "shell", "module_args": {"cmd": "echo {{ event.x }}"}}),
        ("run_module", {"name": "command", "module_args": {"argv": ["ls", "{{ event.x }}"]}}),
        ("run_module", {"name": "copy", "module_args": {"content": "{{ event.x }}"}}),
    ]
    bench = Bench(actions)
    await bench.fire({"x": text})
    asked: dict[str, Any] = {
        request.module: request.module_args for request in bench.runner.requests
    }
    assert asked["copy"] == {"content": text}
    if "service" in asked:
        assert asked["service"].split() == [f"name={text}", "state=started"]
        assert "=" not in text
    if "shell" in asked:
        assert asked["shell"]["cmd"].split() in (["echo", text], ["echo"])
        assert not set(text) & set("$`;&|<>'\"\\*?~#(){}[]!\n\r")
    if "command" in asked:
        assert asked["command"]["argv"] == ["ls", text]
        assert not text.startswith("-")


@every_text
async def test_no_text_chooses_a_playbook_elsewhere(text: str) -> None:
    """An event may name a file in playbooks/, no path; and never a module."""
    bench = Bench(
        [("run_playbook", {"name": "{{ event.x }}"}), ("run_module", {"name": "{{ event.x }}"})]
    )
    await bench.fire({"x": text})
    for request in bench.runner.requests:
        assert not request.module
        assert "/" not in request.playbook
        assert not request.playbook.startswith(("-", ".", "@"))


@pytest.mark.parametrize("key", ANSIBLE_KEYS)
async def test_no_event_says_how_to_connect(key: str) -> None:
    """`ansible_*` never comes out of an event, by key or by value; an author may write it."""
    event = {"vars": {key: "evil"}, "x": "evil"}
    bench = Bench([("run_playbook", {"name": "a.yml", "extra_vars": "{{ event.vars }}"})])
    await bench.fire(event)
    given = {"name": "a.yml", "extra_vars": {key: "{{ event.x }}"}}
    by_value = Bench([("run_playbook", given)])
    await by_value.fire(event)
    assert bench.runner.requests == by_value.runner.requests == []
    author = Bench([("run_playbook", {"name": "a.yml", "extra_vars": {key: "mine"}})])
    await author.fire(event)
    assert author.runner.requests[0].extra_vars[key] == "mine"


@every_text
async def test_no_text_widens_the_limit_of_a_step(text: str) -> None:
    """A step's limit out of an event is a host of the inventory, or the step does not run; its
    variables are the text itself."""
    builder = _builder({"limit": "{{ event.x }}"}, text)
    with pytest.raises((ExecutionError, TemplateError), match="no host of the inventory"):
        await builder.step("st-1", 0, rollback=False)
    request = await _builder({"limit": "web1", "vars": {"x": "{{ event.x }}"}}, text).step(
        "st-1", 0, rollback=False
    )
    assert (request.limit, request.extra_vars["x"]) == ("web1", text)


@every_text
def test_no_text_leads_a_validation_elsewhere(text: str) -> None:
    """What is asked is the host that the author, or a plain host name of the event, says."""
    from yarl import URL

    for url, host in (
        ("http://{{ event.x }}/healthz", None),
        ("http://{{ event.x }}:80/healthz", None),
        ("http://good/{{ event.x }}/healthz", "good"),
        ("http://good/?q={{ event.x }}", "good"),
        ("http://good{{ event.x }}/", None),
    ):
        if (args := _validated("http", {"url": url}, text)) is not None:
            asked = URL(args.url)
            assert asked.user is asked.password is None
            assert asked.host == (host or _authority(url, text).lower())
            assert asked.path.endswith(("/healthz", "/"))
    assert _validated("http", {"url": "{{ event.x }}"}, text) is None
    if (args := _validated("tcp", {"host": "{{ event.x }}", "port": 80}, text)) is not None:
        assert args.host == text
        assert text.replace("-", "").replace(".", "").replace("_", "").isalnum()


@every_text
def test_no_text_bends_a_query(text: str) -> None:
    """A label stays a label, a bare word stays one."""
    expr = 'up{instance="{{ event.x }}"} == 1'
    if (args := _validated("promql", {"expr": expr, "url": "http://p"}, text)) is not None:
        assert args.expr == f'up{{instance="{text}"}} == 1'
        assert not set(text) & set('"\\{}()\n\r')
    if _validated("promql", {"expr": "{{ event.x }} > 1", "url": "http://p"}, text) is not None:
        assert not set(text) & set(" (){}")


@every_text
def test_no_text_is_an_option_or_a_script(text: str) -> None:
    """A word stays one word, never an option, never the program, never in a shell's script."""
    args = _validated("command", {"argv": "test -e {{ event.x }}"}, text)
    if args is not None:
        assert args.argv == ["test", "-e", text]
        assert not text.startswith("-")
    prefixed = _validated("command", {"argv": ["curl", "--url={{ event.x }}"]}, text)
    assert prefixed is not None
    assert prefixed.argv == ["curl", f"--url={text}"]
    assert _validated("command", {"argv": ["sh", "-c", "echo {{ event.x }}"]}, text) is None
    assert _validated("command", {"argv": ["{{ event.x }}", "x"]}, text) is None
    assert _validated("command", {"argv": "{{ event.x }}"}, text) is None


@every_text
def test_no_text_controls_the_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Tables, JSON and YAML print no control character, and JSON loses nothing."""
    rows = [{"x": text, "y": 1}]
    for output in ("table", "json", "yaml"):
        print_rows(rows, ["x", "y"], output)
        printed = capsys.readouterr().out
        assert not [char for char in printed if _controls(char)]
        if output == "json":
            assert json.loads(printed) == rows
        if output == "table":
            assert len(printed.splitlines()) <= 5 + len(text) // 5000


def _validated(kind: str, args: dict[str, Any], text: str) -> Any:
    """Return the arguments of a validation over an event with that text; None when refused."""
    try:
        return arguments_of(KINDS[kind], args, {"event": {"x": text}, "vars": {"own": 1}})
    except (ExecutionError, TemplateError, ValueError):
        return None


def _builder(step: dict[str, Any], text: str) -> RequestBuilder:
    solution = Solution(
        name="s",
        root_cause="*",
        strategy=Strategy.QUICK_FIX,
        risk=Risk.LOW,
        steps=(Step(name="one", playbook="a.yml", **step),),
    )
    context = {"event": {"x": text}, "target": text, "component": "c", "fault": {}}
    healing = Healing(
        id="he-1",
        incident_id="",
        fault_id="",
        resource="r",
        state=HealingState.RUNNING,
        ladder=(solution,),
        context=context,
        created_at=0.0,
    )

    async def hosts(inventory: str) -> list[str]:
        return ["web1", "web2"]

    return RequestBuilder(healing, Attempt("at-1", "he-1", 0, "s", 0.0), hosts)


def _authority(url: str, text: str) -> str:
    """Return the host that the author's URL has with the text in its place."""
    authority = url.removeprefix("http://").partition("/")[0].removesuffix(":80")
    return authority.replace("{{ event.x }}", text)


def _controls(char: str) -> bool:
    return not char.isprintable() and char not in "\n\t"


def _visible(text: str) -> str:
    return "".join(" " if unicodedata.category(char)[0] == "C" else char for char in text).strip()


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
