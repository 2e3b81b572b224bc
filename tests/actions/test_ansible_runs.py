"""run_playbook and run_module: what they ask Ansible for, and what they make of the answer."""

from typing import Any

import pytest

from selfheal.clock import ManualClock
from selfheal.model import TaskResult
from selfheal.recovery.executors.memory import FAILS, Reply
from tests.actions.bench import Bench, failure_of, firing, run_one

EVENT = {"i": 1, "meta": {"zone": 5}}
ECHO = TaskResult(
    "localhost", "echo", "ansible.builtin.command", "changed", 0.1, "", {"rc": 0, "stdout": "a\nb"}
)


async def test_a_playbook_is_given_the_event_and_the_rule() -> None:
    """`ansible_eda` stands beside the action's own variables; the limit is the ruleset's hosts."""
    args = {"name": "playbooks/fix.yml", "extra_vars": {"n": "{{ event.i }}"}, "verbosity": 9}
    bench = await run_one(
        "run_playbook", args, EVENT, hosts=("web", "db"), inventory="inventory/prod.yml"
    )
    (request,) = bench.runner.requests
    assert request.playbook == "playbooks/fix.yml"
    assert request.extra_vars == {
        "n": 1,
        "ansible_eda": {"ruleset": "web", "rule": "r", "event": EVENT},
    }
    assert (request.limit, request.inventory, request.verbosity) == (
        "web,db",
        "inventory/prod.yml",
        4,
    )
    data = bench.told[0].data
    assert (data["playbook_name"], data["rc"]) == ("fix.yml", 0)
    assert data["ident"] == request.ident


async def test_several_events_are_given_by_alias() -> None:
    """A rule over several events gives `ansible_eda.events` (probe p17)."""
    bench = Bench([("run_playbook", {"name": "fix.yml"})])
    await bench.fire(x={"a": 1}, m_1={"b": 1})
    about = bench.runner.requests[0].extra_vars["ansible_eda"]
    assert about == {"ruleset": "web", "rule": "r", "events": {"x": {"a": 1}, "m_1": {"b": 1}}}


@pytest.mark.parametrize(
    ("var_root", "seen"), [("d", {"event": {"e": 1}}), ({"d.e": "n"}, {"event": 1})]
)
async def test_var_root_puts_a_part_in_the_events_place(
    var_root: Any, seen: dict[str, Any]
) -> None:
    """The playbook sees the part; the firing on record keeps the whole event."""
    bench = await run_one("run_playbook", {"name": "x.yml", "var_root": var_root}, {"d": {"e": 1}})
    about = bench.runner.requests[0].extra_vars["ansible_eda"]
    assert about == {"ruleset": "web", "rule": "r", **seen}


@pytest.mark.parametrize(
    ("hosts", "limit"),
    [("h2", "h2"), (["h1", "h2"], "h1,h2"), ("h1, h2", "h1,h2"), ([], "all"), (None, "all")],
)
async def test_the_event_can_name_the_hosts(hosts: Any, limit: str) -> None:
    """`meta.hosts` goes before the ruleset's hosts (probe p39)."""
    bench = await run_one("run_playbook", {"name": "x.yml"}, {"meta": {"hosts": hosts}})
    assert bench.runner.requests[0].limit == limit


HOSTILE_HOSTS = ["@/etc/passwd", "-e x=1", "*", "!web", "a:b", "web[0:9]", "all", "a b", "~w.*"]


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
@pytest.mark.parametrize("action", ["run_playbook", "run_module"])
async def test_an_event_names_hosts_and_nothing_else(host: str, action: str) -> None:
    """No file, option or pattern gets to Ansible from an event; other actions do not mind."""
    event = {"meta": {"hosts": [host]}}
    bench = Bench([(action, {"name": "x"}), ("debug", {"msg": "ok"})])
    results = await bench.fire(event)
    assert bench.statuses == ["failed", "successful"]
    assert "meta.hosts" in results[0].message
    assert bench.runner.requests == []


async def test_facts_go_where_they_are_wanted() -> None:
    """`set_facts` and `post_events` hand on facts and statistics, to the ruleset named."""
    stats = TaskResult(
        "h", "s", "ansible.builtin.set_stats", "ok", 0.1, "", {"ansible_stats": {"data": {"b": 2}}}
    )
    script = {"x.yml": Reply(tasks=(stats,), facts={"a": 1})}
    args = {"name": "x.yml", "set_facts": True, "post_events": True, "ruleset": "other"}
    bench = await run_one("run_playbook", args, EVENT, script=script)
    ((ruleset, fact),) = bench.facts
    assert (ruleset, fact["a"], fact["b"]) == ("other", 1, 2)
    assert fact["meta"]["source"] == {"name": "run_playbook", "type": "internal"}
    assert bench.events == [("other", fact)]
    assert "[playbook: set-facts]" in bench.printed[0]


@pytest.mark.parametrize(
    "script", [{"x.yml": FAILS}, {"x.yml": Reply()}], ids=["failed", "without facts"]
)
async def test_nothing_is_handed_on_without_a_success(script: dict[str, Reply]) -> None:
    """A failed run brings no facts, and one without facts brings no empty event."""
    bench = Bench([("run_playbook", {"name": "x.yml", "set_facts": True})], script=script)
    await bench.fire(EVENT)
    assert (bench.facts, bench.events, bench.printed) == ([], [], [])


@pytest.mark.parametrize(
    ("args", "tries"), [({"retries": 2}, 3), ({"retry": True}, 2), ({}, 1), ({"retries": "1"}, 2)]
)
async def test_a_failed_run_is_tried_again(args: dict[str, Any], tries: int) -> None:
    """So often as said, with the delay between, each try a run of its own (probe p19)."""
    clock = ManualClock()
    bench = Bench(
        [("run_playbook", {"name": "x.yml", "delay": 5, **args})],
        script={"x.yml": FAILS},
        clock=clock,
    )
    await bench.dispatcher.act(firing(EVENT))
    await clock.advance(4)
    assert len(bench.runner.requests) == 1
    await clock.advance(60)
    assert bench.statuses == ["failed"]
    assert len({request.ident for request in bench.runner.requests}) == tries
    assert len(bench.told) == 1


async def test_a_retry_that_succeeds_is_a_success() -> None:
    """Only what the successful try brought is handed on."""
    script = {"x.yml": [Reply(FAILS.state, facts={"old": 1}), Reply(facts={"new": 1})]}
    args = {"name": "x.yml", "retries": 5, "set_facts": True}
    bench = await run_one("run_playbook", args, EVENT, script=script)
    assert len(bench.runner.requests) == 2
    assert set(bench.facts[0][1]) == {"new", "meta"}


async def test_a_run_is_on_record_before_it_starts() -> None:
    """Intent first; afterwards the end and each task, belonging to no healing."""
    seen: list[str] = []
    bench: Bench

    def look(request: Any) -> None:
        seen.append(bench.record.db.table("steps").get(request.ident)["state"])

    bench = Bench(
        [("run_playbook", {"name": "x.yml"})], script={"x.yml": Reply(tasks=(ECHO,), effect=look)}
    )
    await bench.fire(EVENT)
    (step,) = bench.record.db.table("steps").rows
    assert seen == ["running"]
    assert (step["state"], step["kind"], step["attempt_id"]) == ("successful", "action", None)
    assert bench.record.tasks(step["ident"]) == [ECHO]


async def test_a_run_that_could_not_start_is_on_record_too() -> None:
    """No run stays `running` because its playbook was missing."""
    bench = Bench([("run_playbook", {"name": "x.yml"})], script={"x.yml": Reply(error="not found")})
    await bench.fire(EVENT)
    (step,) = bench.record.db.table("steps").rows
    assert (step["state"], step["message"]) == ("failed", "not found")


async def test_a_run_that_hangs_is_ended() -> None:
    """`timeout` bounds one try; without it the limit is an hour."""
    clock = ManualClock()
    hangs = {"x.yml": Reply(seconds=float("inf"))}
    bench = Bench(
        [("run_playbook", {"name": "x.yml", "timeout": "20s"})], script=hangs, clock=clock
    )
    await bench.dispatcher.act(firing(EVENT))
    await clock.advance(0)
    await clock.advance(20)
    assert bench.done[0][1][0].message == "x.yml: timeout"
    assert (await run_one("run_playbook", {"name": "y.yml"}, EVENT)).runner.requests[
        0
    ].timeout == 3600


async def test_a_module_is_given_its_arguments_by_name() -> None:
    """Lists and mappings stay what they are; the hosts are the pattern of the play."""
    args = {"name": "ansible.builtin.command", "module_args": {"argv": ["echo", "{{ event.i }}"]}}
    bench = await run_one("run_module", args, EVENT, hosts=("web",))
    (request,) = bench.runner.requests
    assert (request.module, request.playbook) == ("ansible.builtin.command", "")
    assert request.module_args == {"argv": ["echo", 1]}
    assert request.host_pattern == "web"
    assert bench.told[0].data["playbook_name"] == "ansible.builtin.command"


async def test_a_module_hands_on_its_result() -> None:
    """As a playbook would register it, streams by line too (probe p38)."""
    args = {"name": "ansible.builtin.command", "post_events": True}
    script = {"ansible.builtin.command": Reply(tasks=(ECHO,))}
    bench = await run_one("run_module", args, EVENT, script=script)
    ((_, event),) = bench.events
    assert event["meta"]["source"] == {"name": "run_module", "type": "internal"}
    assert {key: event[key] for key in event if key != "meta"} == {
        "rc": 0,
        "stdout": "a\nb",
        "stdout_lines": ["a", "b"],
        "changed": False,
        "failed": False,
    }
    assert "[module: set-facts]" in bench.printed[0]


@pytest.mark.parametrize(
    ("args", "named"),
    [
        ({}, "name"),
        ({"name": "x", "retries": -1}, "retries"),
        ({"name": "x", "retries": True}, "retries"),
        ({"name": "x", "delay": "soon"}, "delay"),
        ({"name": "x", "extra_vars": "x"}, "extra_vars"),
        ({"name": "x", "set_facts": "perhaps"}, "set_facts"),
        ({"name": "x", "lock": ["x"]}, "lock"),
    ],
)
@pytest.mark.parametrize("action", ["run_playbook", "run_module"])
async def test_wrong_arguments_run_nothing(action: str, args: dict[str, Any], named: str) -> None:
    """The message names the argument."""
    assert f"argument {named}" in await failure_of(action, args, EVENT)
