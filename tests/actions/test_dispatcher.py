"""The dispatcher: order, side by side, failures, limits, the end."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from selfheal.clock import ManualClock
from selfheal.errors import StoreError
from selfheal.model import ExecutionStrategy, Fault
from selfheal.ports import JSON
from selfheal.recovery.executors.memory import FAILS, Reply
from tests.actions.bench import Bench, firing

SLOW = {"slow.yml": Reply(seconds=10.0)}
RUN = ("run_playbook", {"name": "slow.yml", "extra_vars": {"i": "{{ event.i }}"}})


def order(bench: Bench) -> list[int]:
    """The events whose playbooks were started, in order."""
    return [request.extra_vars["i"] for request in bench.runner.requests]


async def test_actions_of_a_firing_run_in_order() -> None:
    """Each is told in the timeline, in the order of the rulebook."""
    bench = Bench([("debug", {"msg": "one"}), ("none", {}), ("debug", {"msg": "two"})])
    results = await bench.fire({"i": 1})
    assert [result.action for result in results] == ["debug", "none", "debug"]
    assert bench.contents == ["one", "two"]
    assert [entry.data["index"] for entry in bench.told] == [0, 1, 2]
    assert bench.told[0].text == "debug of rule “r”: successful"
    assert bench.told[0].data == {
        "ruleset": "web",
        "rule": "r",
        "firing": "fi-1",
        "event_ids": ["ev-1"],
        "index": 0,
        "action": "debug",
        "status": "successful",
        "message": "",
    }


async def test_a_failed_action_does_not_stop_the_next() -> None:
    """As in ansible-rulebook (its probes p06, p07): failed is on record, the next one runs."""
    bench = Bench(
        [
            ("run_playbook", {"name": "bad.yml"}),
            ("run_playbook", {"name": "gone.yml"}),
            ("debug", {"msg": "still here"}),
        ],
        script={"bad.yml": FAILS, "gone.yml": Reply(error="playbook gone.yml not found")},
    )
    results = await bench.fire({"i": 1})
    assert bench.statuses == ["failed", "failed", "successful"]
    assert results[0].message == "bad.yml: it failed"
    assert results[1].message == "gone.yml: playbook gone.yml not found"
    assert bench.told[1].data["message"] == results[1].message


@pytest.mark.parametrize("template", ["{{ event.nope }}", "{{ nope }}", "{{ event.i / 0 }}"])
async def test_an_undefined_variable_fails_its_action_only(template: str) -> None:
    """The rival's process ends here and drops every event behind it; ours goes on."""
    bench = Bench([("debug", {"msg": template}), ("debug", {"msg": "after"})])
    await bench.fire({"i": 1})
    assert bench.statuses == ["failed", "successful"]
    assert bench.contents == ["after"]


async def test_arguments_are_rendered_just_before_their_action() -> None:
    """A value comes with its type; text around it makes text; keys are left alone."""
    fact = {"whole": "{{ event.i }}", "text": "i={{ event.i }}", "var": "{{ vars.x + x }}"}
    bench = Bench([("set_fact", {"fact": fact})], variables={"x": 2})
    await bench.fire({"i": 1})
    ((_, given),) = bench.facts
    assert {key: given[key] for key in fact} == {"whole": 1, "text": "i=1", "var": 4}


async def test_events_are_never_templates() -> None:
    """Jinja that came with an event is text, whatever it says."""
    evil = "{{ 7 * 7 }}{% raw %}"
    bench = Bench([("debug", {"msg": "{{ event.text }}"}), ("print_event", {})])
    await bench.fire({"text": evil})
    assert bench.contents == [evil, str({"text": evil})]


@pytest.mark.parametrize(
    ("template", "matches"),
    [
        ("{{ event.i }}{{ fact.i }}", {"m": {"i": 1}}),
        ("{{ events.m_0.i }}{{ facts.m_1.i }}", {"m_0": {"i": 1}, "m_1": {"i": 1}}),
        ("{{ events.first.i }}{{ facts.first.i }}", {"first": {"i": 1}}),
    ],
)
async def test_matches_have_the_names_conditions_use(
    template: str, matches: dict[str, JSON]
) -> None:
    """One event is `event` and `fact`; several are `events.alias` and `facts.alias`."""
    bench = Bench([("debug", {"msg": template})])
    await bench.fire(**matches)
    assert bench.contents == ["11"]


async def test_sequential_is_one_firing_after_the_other() -> None:
    """The second playbook starts when the first has ended."""
    clock = ManualClock()
    bench = Bench([RUN], script=SLOW, clock=clock)
    for i in range(3):
        await bench.dispatcher.act(firing({"i": i}))
    await clock.advance(5)
    assert order(bench) == [0]
    await clock.advance(10)
    assert order(bench) == [0, 1]
    await clock.advance(30)
    assert order(bench) == [0, 1, 2]
    assert bench.dispatcher.idle


async def test_parallel_is_side_by_side_up_to_the_limit() -> None:
    """As many firings as allowed run at once; the next starts when one of them ends."""
    clock = ManualClock()
    bench = Bench([RUN], script=SLOW, clock=clock, strategy=ExecutionStrategy.PARALLEL, most=2)
    for i in range(3):
        await bench.dispatcher.act(firing({"i": i}))
    await clock.advance(5)
    assert order(bench) == [0, 1]
    await clock.advance(10)
    assert order(bench) == [0, 1, 2]
    await clock.advance(10)
    assert bench.dispatcher.idle


async def test_a_lock_keeps_firings_apart_that_run_side_by_side() -> None:
    """Two of the same colour wait for one another, the third does not (probe p15)."""
    clock = ManualClock()
    locked = ("run_playbook", {"name": "slow.yml", "lock": "{{ event.k }}", "extra_vars": {}})
    bench = Bench([locked], script=SLOW, clock=clock, strategy=ExecutionStrategy.PARALLEL)
    for colour in ("red", "red", "green"):
        await bench.dispatcher.act(firing({"k": colour}))
    await clock.advance(5)
    running = [request.extra_vars["ansible_eda"]["event"]["k"] for request in bench.runner.requests]
    assert running == ["red", "green"]
    await clock.advance(20)
    assert len(bench.runner.requests) == 3


async def test_shutdown_ends_the_firing() -> None:
    """Actions behind a shutdown in the same rule are not run (probe p21)."""
    bench = Bench([("debug", {"msg": "first"}), ("shutdown", {"kind": "now"}), ("debug", {})])
    results = await bench.fire({"i": 1})
    assert [result.action for result in results] == ["debug", "shutdown"]


async def test_a_firing_behind_the_last_is_never_left_lying() -> None:
    """A worker that is just ending is not counted on: each firing is acted on."""
    for turns in range(5):
        bench = Bench([("none", {})])
        await bench.dispatcher.act(firing({"i": 1}))
        for _ in range(turns):
            await asyncio.sleep(0)
        await bench.dispatcher.act(firing({"i": 2}))
        await asyncio.wait_for(bench.dispatcher.drain(), 5)
        assert len(bench.done) == 2, turns


async def test_too_many_firings_hold_back_the_caller() -> None:
    """Nothing is dropped and nothing grows without bound: the source has to wait."""
    clock = ManualClock()
    bench = Bench([RUN], script=SLOW, clock=clock, room=2)
    for i in range(3):
        await asyncio.wait_for(bench.dispatcher.act(firing({"i": i})), 5)
    waiting = asyncio.create_task(bench.dispatcher.act(firing({"i": 3})))
    await clock.advance(1)
    assert not waiting.done()
    await clock.advance(10)
    assert waiting.done()
    await clock.advance(60)
    assert order(bench) == [0, 1, 2, 3]


async def test_an_action_that_causes_firings_never_waits_for_them() -> None:
    """A fact that fires the same sequential ruleset, with no room left, does not deadlock."""
    bench: Bench

    async def assert_fact(ruleset: str, fact: JSON, origin: str) -> None:
        for number in range(5):
            if fact.get("depth") == 0:
                await bench.dispatcher.act(firing({"depth": 1, "n": number}))

    bench = Bench(
        [("set_fact", {"fact": {"depth": "{{ event.depth }}"}})], room=1, assert_fact=assert_fact
    )
    await bench.dispatcher.act(firing({"depth": 0}))
    await asyncio.wait_for(bench.dispatcher.drain(), 5)
    assert [len(results) for _, results in bench.done] == [1] * 6


async def test_closing_ends_what_runs_and_says_so() -> None:
    """The running playbook is ended and told; what waits is counted, for the next start."""
    clock = ManualClock()
    bench = Bench([RUN, ("debug", {"msg": "never"})], script=SLOW, clock=clock)
    for i in range(3):
        await bench.dispatcher.act(firing({"i": i}))
    await clock.advance(1)
    unfinished = await bench.dispatcher.close()
    assert bench.dispatcher.idle
    assert unfinished == 3
    assert [entry.data["status"] for entry in bench.told] == ["cancelled"]
    assert bench.printed == []


async def test_closing_lets_go_of_who_waits_for_room() -> None:
    """A loop that is held back by full actions gets away when they are closed."""
    clock = ManualClock()
    bench = Bench([RUN], script=SLOW, clock=clock, room=0)
    await bench.dispatcher.act(firing({"i": 0}))
    waiting = asyncio.create_task(bench.dispatcher.act(firing({"i": 1})))
    await clock.advance(1)
    await bench.dispatcher.close()
    await asyncio.wait_for(waiting, 5)


async def test_a_bug_in_an_action_is_its_own_failure(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is logged with its trace and fails that action alone."""

    def out(text: str) -> None:
        raise RuntimeError("terminal gone")

    bench = Bench([("debug", {"msg": "x"}), ("none", {})], out=out)
    results = await bench.fire({"i": 1})
    assert bench.statuses == ["failed", "successful"]
    assert results[0].message == "RuntimeError: terminal gone"
    assert "rules.yml:1:1" in caplog.text


async def test_a_firing_waits_for_a_record_that_refuses(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a full disk a firing's end is told when there is room again; what it did stays done."""
    clock = ManualClock(1000.0)
    bench = Bench([("debug", {"msg": "once"})], clock=clock)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(bench.record, "tell", refuse)
        bench.dispatcher.take(firing({"i": 1}))
        await clock.advance(0.1)
        await clock.advance(100.0)
    assert "the disk is full" in caplog.text
    assert bench.done == []
    await clock.advance(10.0)
    assert bench.dispatcher.idle
    assert (bench.statuses, bench.contents) == (["successful"], ["once"])


async def test_a_fault_the_record_refuses_is_reported_again_in_order() -> None:
    """A record that is busy for a while loses no accepted event, and turns none around."""
    clock, seen, refusals = ManualClock(1000.0), list[str](), 5

    async def heal(fault: Fault) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise StoreError("the record is busy")
        seen.append(fault.target)

    args = {"fault": "f", "component": "web", "target": "{{ event.host }}"}
    bench = Bench([("heal", args)], clock=clock, heal=heal)
    for host in ("web1", "web2"):
        bench.dispatcher.take(firing({"host": host}))
    await clock.advance(0.1)
    assert (bench.done, bench.dispatcher.idle) == ([], False)
    await clock.advance(10.0)
    assert seen == ["web1", "web2"]
    assert bench.statuses == ["successful"]


async def test_what_is_refused_for_ever_holds_nobody_up_for_ever() -> None:
    """While the record takes everything else, an action fails in the end and a human is told; the
    next one runs."""
    clock, called = ManualClock(1000.0), list[str]()

    async def heal(fault: Fault) -> None:
        raise StoreError("this can't be kept")

    async def human(subject: str, body: str, data: JSON) -> None:
        called.append(f"{subject}: {body}")

    args = {"fault": "f", "component": "web", "target": "web1"}
    actions = [("heal", args), ("debug", {"msg": "next"})]
    bench = Bench(actions, clock=clock, heal=heal, human=human)
    bench.dispatcher.take(firing({"i": 1}))
    await clock.advance(0.1)
    await clock.advance(200.0)
    assert bench.statuses == ["failed", "successful"]
    assert [one.split("\n")[0] for one in called] == [
        "failed: heal of rule “r”: this can't be kept"
    ]


async def test_an_outcome_that_is_refused_for_ever_holds_no_other_firing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end of one firing can't be kept: it is left for the next start, a human is told, and
    the next firing is acted on."""
    clock, called, ended = ManualClock(1000.0), list[str](), list[str]()

    async def human(subject: str, body: str, data: JSON) -> None:
        called.append(subject)

    bench = Bench([("none", {})], clock=clock, human=human)
    object.__setattr__(bench.services, "firings", bench.record)

    def end(ident: str, *rest: Any) -> None:
        if ident == "fi-1":
            raise StoreError("this can't be kept")
        ended.append(ident)

    monkeypatch.setattr(bench.record, "end_firing", end)
    for ident in ("fi-1", "fi-2"):
        bench.dispatcher.take(replace(firing({"i": 1}), id=ident))
    await clock.advance(0.1)
    await clock.advance(200.0)
    assert ended == ["fi-2"]
    assert called == ["the actions of rule “r” of “web” broke off"]


async def test_messages_in_the_timeline_are_one_line() -> None:
    """A failure's text does not break the story's lines; programs get it as it is."""
    bench = Bench([("run_playbook", {"name": "x.yml"})], script={"x.yml": Reply(error="a\nb")})
    await bench.fire({"i": 1})
    assert bench.told[0].text == "run_playbook of rule “r”: failed: x.yml: a b"
    assert bench.told[0].data["message"] == "x.yml: a\nb"
