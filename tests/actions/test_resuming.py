"""A firing that a dead engine left: each action at most once, and a human told where in doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import pytest

from selfheal.errors import StoreError
from selfheal.model import (
    Event,
    Fault,
    Firing,
    FiringState,
    Matched,
    PlaybookResult,
    StepKind,
    StepRun,
    StepState,
    Unfinished,
)
from selfheal.ports import JSON
from selfheal.recovery.executors.memory import Reply
from tests.actions.bench import Bench

Actions = Sequence[tuple[str, Mapping[str, Any]]]
DEBUG = ("debug", {"msg": "{{ event.i }}"})
PLAY = ("run_playbook", {"name": "x.yml"})
FIRING = Firing("web", "r", {"m": {"i": 1}}, 900.0, ("ev-1",), "fi-1", {"m": Matched("ev-1")})


class Left(Bench):
    """A bench whose record holds the firing as an engine left it."""

    def __init__(self, actions: Actions, *, begun: str = "", at: int = 0, **options: Any) -> None:
        self.called: list[str] = []
        super().__init__(actions, human=self._human, **options)
        object.__setattr__(self.services, "firings", self.record)
        self.record.add([Event("ev-1", "s", 900.0, {"i": 1}, ruleset="web")])
        self.record.add_firing(FIRING, [name for name, _ in actions])
        if begun or at:
            self.record.begin_action("fi-1", at, begun)

    async def resume(self) -> list[str]:
        """Take up what the record holds; return how the actions ended."""
        (left,) = self.record.unfinished_firings()
        assert left.firing == FIRING
        assert self.dispatcher.knows(left)
        self.dispatcher.resume(left)
        await self.dispatcher.drain()
        return self.statuses

    @property
    def state(self) -> tuple[str, str]:
        """State and note of the firing."""
        (row,) = self.record.db.query("SELECT state, note FROM firings")
        return row["state"], row["note"]

    async def _human(self, subject: str, body: str, data: JSON) -> None:
        self.called.append(subject)


async def test_progress_is_on_record() -> None:
    """Each action's end moves the firing on, the last one ends it; a failed one ends like any."""
    bench = Left([DEBUG, ("debug", {"msg": "{{ nope }}"}), DEBUG])
    seen: list[Unfinished] = []
    object.__setattr__(
        bench.services, "out", lambda text: seen.extend(bench.record.unfinished_firings())
    )
    assert await bench.resume() == ["successful", "failed", "successful"]
    assert [left.next_action for left in seen] == [0, 2]
    assert bench.state == (FiringState.DONE.value, "")


async def test_actions_that_have_ended_are_not_run_again() -> None:
    """The firing goes on with the first that has not."""
    bench = Left([("heal", {}), DEBUG], at=1)
    assert await bench.resume() == ["successful"]
    assert (bench.faults, bench.contents) == ([], ["1"])


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("set_fact", {"fact": {"a": 1}}),
        ("post_event", {"event": {"a": 1}}),
        ("retract_fact", {"fact": {"a": 1}}),
    ],
)
async def test_what_an_action_makes_has_the_same_origin_again(
    name: str, args: dict[str, Any]
) -> None:
    """Repeated after a crash, a fact or an event is known as the one made before."""
    bench = Left([DEBUG, (name, args)], at=1)
    await bench.resume()
    assert bench.origins == ["fi-1:1:"]


async def test_a_fault_that_is_reported_again_is_the_same() -> None:
    """`heal` repeated is a repeat: its start is the firing's time, not the moment's."""
    heal = ("heal", {"fault": "deadlock", "component": "web", "target": "web1"})
    faults: list[Fault] = []
    for _ in range(2):
        bench = Left([heal])
        await bench.clock.advance(len(faults))  # type: ignore[attr-defined]  # a ManualClock
        await bench.resume()
        faults += bench.faults
    assert [one.starts_at for one in faults] == [900.0, 900.0]
    assert faults[0].fingerprint == faults[1].fingerprint


def step(bench: Bench) -> None:
    run = StepRun("st-1", "", StepKind.ACTION, 0, "r", "x.yml", StepState.RUNNING, 900.0)
    bench.record.add_step(run)


async def test_a_playbook_that_ended_is_adopted() -> None:
    """Its artifacts show how it ended: it is not run again, its facts are handed on once."""
    ended = PlaybookResult("st-1", StepState.SUCCESSFUL, 0, 900.0, 901.0, facts={"f": 1})
    bench = Left(
        [("run_playbook", {"name": "x.yml", "set_facts": True}), DEBUG],
        begun="st-1",
        find_artifact={"st-1": ended}.get,
    )
    step(bench)
    assert await bench.resume() == ["successful", "successful"]
    assert bench.runner.requests == []
    assert [fact["f"] for _, fact in bench.facts] == [1]
    assert bench.origins == ["fi-1:0:fact"]
    assert bench.state == (FiringState.DONE.value, "")


async def test_a_playbook_that_failed_may_be_tried_again() -> None:
    """An adopted run that failed counts as the first try."""
    ended = PlaybookResult("st-1", StepState.FAILED, 2, 900.0, 901.0, message="no")
    play = ("run_playbook", {"name": "x.yml", "retries": 1})
    bench = Left([play], begun="st-1", find_artifact={"st-1": ended}.get)
    step(bench)
    assert await bench.resume() == ["successful"]
    assert len(bench.runner.requests) == 1


@pytest.mark.parametrize("play", [PLAY, ("run_module", {"name": "m", "retries": 3})])
async def test_a_run_without_an_end_is_unknown(play: tuple[str, dict[str, Any]]) -> None:
    """It is not run again, not even as a retry; a human is told, and the rule goes on."""
    bench = Left([play, DEBUG], begun="st-1")
    step(bench)
    assert await bench.resume() == ["unknown", "successful"]
    assert bench.runner.requests == []
    assert bench.called == [f"unknown: {play[0]} of rule “r”"]
    state, note = bench.state
    assert state == FiringState.UNKNOWN.value
    assert "not run again" in note
    (row,) = bench.record.db.query("SELECT state FROM steps")
    assert row["state"] == StepState.UNKNOWN.value


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("pg_notify", ["unknown", "successful"]),
        ("run_job_template", ["unknown", "successful"]),
        ("run_workflow_template", ["unknown", "successful"]),
        ("shutdown", ["unknown"]),
    ],
)
async def test_what_cannot_be_looked_up_is_never_done_twice(name: str, statuses: list[str]) -> None:
    """Begun before the crash: nobody knows whether it happened, and a human is told."""
    bench = Left([(name, {}), DEBUG], begun="begun")
    assert await bench.resume() == statuses
    assert bench.called == [f"unknown: {name} of rule “r”"]
    assert (bench.state[0], bench.shutdowns) == (FiringState.UNKNOWN.value, [])


async def test_a_run_is_on_record_as_begun_before_it_starts() -> None:
    """Whoever finds the firing later knows the ident to look for."""
    found: list[tuple[str, str]] = []

    def look(request: Any) -> None:
        (left,) = bench.record.unfinished_firings()
        found.append((request.ident, left.begun))

    bench = Left([PLAY], script={"x.yml": Reply(effect=look)})
    await bench.resume()
    assert [ident == begun for ident, begun in found] == [True]


async def test_an_edited_rule_is_not_known() -> None:
    """A firing goes on only with the actions that it began with."""
    bench = Left([DEBUG])
    (left,) = bench.record.unfinished_firings()
    assert bench.dispatcher.knows(left)
    assert not Bench([DEBUG, DEBUG]).dispatcher.knows(left)
    assert not Bench([("none", {})]).dispatcher.knows(left)


async def test_at_the_end_a_firing_that_waits_for_the_record_is_left() -> None:
    """It is pending on record with the action that was refused, for the next start."""

    async def heal(fault: Fault) -> None:
        raise StoreError("the disk is full")

    bench = Left([("heal", {"fault": "f", "component": "web", "target": "web1"})], heal=heal)
    (left,) = bench.record.unfinished_firings()
    bench.dispatcher.resume(left)
    await bench.clock.advance(1.0)  # type: ignore[attr-defined]  # a ManualClock
    with mock.patch.object(bench.record, "tell", side_effect=StoreError("the disk is full")):
        assert await bench.dispatcher.close() == 1
    assert bench.record.unfinished_firings() == [left]
