"""What a healing must pass in a running engine: rails, humans, and what ends the waiting."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from selfheal.approvals import answer
from selfheal.config import load_project
from selfheal.daemon.closing import close_by_hand
from selfheal.daemon.reach import Reach
from selfheal.errors import ExecutionError
from selfheal.model import (
    Answer,
    ApprovalState,
    Autonomy,
    AutonomyChange,
    Channel,
    FaultState,
    Healing,
    HealingState,
    IncidentState,
    Kind,
    Outcome,
    Pause,
    Refusal,
    Refused,
    Risk,
    Scope,
    Solution,
    Step,
    Strategy,
    Verdict,
    Waiting,
    new_id,
)
from selfheal.recovery import AnsibleRunner, LiveVariables
from selfheal.recovery.executors import MemoryRunner
from selfheal.recovery.executors.memory import FAILS, Reply
from selfheal.store import open_record

from .hook import listening
from .support import RULES, Inside, engine_inside, needs_ansible, write_project
from .test_faults import heals

RISKY = {"down": "web1", "cause": "disk-full"}


def asked(engine: Inside) -> Any:
    """Return the approval that is waited for, if there is one."""
    pending = engine.record.approvals(state=ApprovalState.PENDING.value)
    return pending[0] if pending else None


def say(engine: Inside, approval_id: str, *, yes: bool) -> None:
    """Answer as the command line does."""
    given = Answer("ann", yes, "I looked", time.time(), Channel.CLI)
    answer(engine.record, approval_id, given)
    engine.record.post("approval_answered", {"id": approval_id}, time.time())


def with_autonomy(level: str) -> str:
    """Return the rules, the first of which has that autonomy."""
    return RULES.replace(
        "    - name: something is down\n",
        f"    - name: something is down\n      autonomy: {level}\n",
    )


async def test_a_risky_solution_waits_for_a_human_and_then_runs(tmp_path: Path) -> None:
    """Nothing runs before the yes; who said it, when and why is on record; then it heals."""
    runner = MemoryRunner()
    async with listening() as hook:
        folder = write_project(tmp_path, notify=hook.config)
        async with engine_inside(folder, runner) as engine:
            engine.emit(RISKY)
            approval = await engine.until(lambda: asked(engine))
            [healing] = engine.healings()
            assert (healing.state, runner.playbooks) == (HealingState.RUNNING, [])
            assert [lock.resource for lock in engine.record.locks()] == ["host:web1"]
            say(engine, approval.id, yes=True)
            await engine.until(lambda: engine.all_healed(1))
            approval = engine.record.approval(approval.id)
    assert (approval.state, approval.answers[0].who) == (ApprovalState.APPROVED, "ann")
    assert runner.playbooks == ["replace.yml"]
    assert f"selfheal approve {approval.id}" in hook.messages[0]["body"]


async def test_a_no_ends_the_healing_and_nothing_runs(tmp_path: Path) -> None:
    """Denied is an outcome of its own, and the incident is a human's."""
    runner = MemoryRunner()
    async with engine_inside(write_project(tmp_path), runner) as engine:
        engine.emit(RISKY)
        approval = await engine.until(lambda: asked(engine))
        say(engine, approval.id, yes=False)
        await engine.until(lambda: engine.states() == [IncidentState.MANUAL])
        [healing] = engine.healings()
        assert healing.outcome is Outcome.DENIED
        assert "ann said no to rebuild: I looked" in healing.reason
        assert engine.record.locks() == []
    assert runner.playbooks == []


async def test_no_answer_is_a_no(tmp_path: Path) -> None:
    """When its time is over the question counts as denied."""
    folder = write_project(tmp_path, approval={"expires": "300ms"})
    async with engine_inside(folder, MemoryRunner()) as engine:
        engine.emit(RISKY)
        await engine.until(lambda: engine.states() == [IncidentState.MANUAL])
        assert engine.healings()[0].outcome is Outcome.EXPIRED


async def test_a_question_outlives_the_engine(tmp_path: Path) -> None:
    """The next engine waits for the same answer, with the time that is left."""
    folder, runner = write_project(tmp_path), MemoryRunner()
    async with engine_inside(folder, runner) as engine:
        engine.emit(RISKY)
        before = await engine.until(lambda: asked(engine))
    async with engine_inside(folder, runner) as engine:
        after = await engine.until(lambda: asked(engine))
        assert (after.id, after.expires_at) == (before.id, before.expires_at)
        say(engine, after.id, yes=True)
        await engine.until(lambda: engine.all_healed(1))
    assert runner.playbooks == ["replace.yml"]


async def test_what_is_over_is_not_asked_about_any_longer(tmp_path: Path) -> None:
    """A fault that is resolved while a human is asked ends the healing and the question."""
    async with engine_inside(write_project(tmp_path), MemoryRunner()) as engine:
        engine.emit(RISKY)
        approval = await engine.until(lambda: asked(engine))
        engine.emit({"up": "web1"})
        await engine.until(lambda: engine.states() == [IncidentState.RESOLVED])
        assert engine.record.approval(approval.id).state is ApprovalState.WITHDRAWN


async def test_an_incident_closed_by_hand_is_over(tmp_path: Path) -> None:
    """Closing stops the healing that waits, resolves the fault and leaves nobody asked."""
    async with engine_inside(write_project(tmp_path), MemoryRunner()) as engine:
        engine.emit(RISKY)
        approval = await engine.until(lambda: asked(engine))
        close_by_hand(engine.record, engine.incidents()[0], "ann: new disk", time.time())
        await engine.until(lambda: engine.all_healed(1))
        incident = engine.incidents()[0]
        fault = engine.record.fault(incident.primary_fault_id)
        assert (incident.state, fault.state) == (IncidentState.RESOLVED, FaultState.RESOLVED)
        assert engine.record.approval(approval.id).state is ApprovalState.WITHDRAWN


@pytest.mark.parametrize(
    ("level", "refusal", "messages"),
    [("observe", Refusal.OBSERVE_ONLY, 0), ("suggest", Refusal.SUGGEST_ONLY, 1)],
)
async def test_a_rule_does_no_more_than_it_may(
    tmp_path: Path, level: str, refusal: Refusal, messages: int
) -> None:
    """An observing rule records and is silent; a suggesting one tells what could be run."""
    runner = MemoryRunner()
    async with listening() as hook:
        folder = write_project(tmp_path, with_autonomy(level), notify=hook.config)
        async with engine_inside(folder, runner) as engine:
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.states() == [IncidentState.MANUAL])
            await engine.until(lambda: len(hook.messages) >= messages)
            last = engine.record.decisions(engine.incidents()[0].id)[-1]
    assert (last.refused, runner.playbooks) == (refusal, [])
    assert all("selfheal run-runbook restart" in one["body"] for one in hook.messages)
    assert len(hook.messages) == messages


async def test_a_rule_that_needs_approval_asks_for_low_risk_too(tmp_path: Path) -> None:
    """`autonomy: approve` asks a human before any solution of that rule."""
    runner = MemoryRunner({"restart.yml": heals(tmp_path)})
    async with engine_inside(write_project(tmp_path, with_autonomy("approve")), runner) as engine:
        engine.emit({"down": "web1"})
        approval = await engine.until(lambda: asked(engine))
        assert "autonomy is approve" in approval.reasons[-1]
        say(engine, approval.id, yes=True)
        await engine.until(lambda: engine.states() == [IncidentState.HEALED])


async def test_a_pause_holds_and_a_resume_lets_go(tmp_path: Path) -> None:
    """What comes while everything is paused waits, says so, and goes on at once afterwards."""
    runner = MemoryRunner({"restart.yml": heals(tmp_path)})
    async with engine_inside(write_project(tmp_path), runner) as engine:
        pause = Pause(new_id("pa"), Scope.GLOBAL, "", "the network is moved", "ann", time.time())
        engine.record.add_pause(pause)
        engine.emit({"down": "web1"})
        await engine.until(lambda: engine.told("refused: paused"))
        [healing] = engine.healings()
        assert healing.waiting is not None
        assert healing.waiting.reason is Refusal.PAUSED
        assert "the network is moved" in healing.waiting.detail
        engine.record.end_pause(pause.id, time.time())
        engine.record.post("rails_changed", {"what": ["resumed"]}, time.time())
        await engine.until(lambda: engine.states() == [IncidentState.HEALED])
    assert runner.playbooks == ["restart.yml"]


async def test_a_rule_whose_healings_fail_loses_autonomy(tmp_path: Path) -> None:
    """After the failures of the configuration the rule needs approval, and a human is told."""
    rails = {
        "cooldown": False,
        "settle": False,
        "autonomy": {"demote": {"failures": 1, "within": "1h"}},
    }
    runner = MemoryRunner({"restart.yml": FAILS, "replace.yml": FAILS})
    async with listening() as hook:
        folder = write_project(tmp_path, notify=hook.config, rails=rails)
        async with engine_inside(folder, runner) as engine:
            engine.emit({"down": "web1"})
            await engine.until(lambda: engine.told("may do less"))
            engine.emit({"down": "web2"})
            approval = await engine.until(lambda: asked(engine))
            assert approval.target == "web2"
            await engine.until(
                lambda: any("may do less" in one["subject"] for one in hook.messages)
            )


async def test_a_rule_that_is_gone_is_trusted_no_further(tmp_path: Path) -> None:
    """A healing that waits while its rule is taken from the rulebook needs a human afterwards."""
    runner = MemoryRunner({"restart.yml": heals(tmp_path)})
    folder = write_project(tmp_path)
    async with engine_inside(folder, runner) as engine:
        pause = Pause(new_id("pa"), Scope.GLOBAL, "", "a change", "ann", time.time())
        engine.record.add_pause(pause)
        engine.emit({"down": "web1"})
        await engine.until(lambda: engine.told("refused: paused"))
        (folder / "rulebooks" / "shop.yml").write_text(RULES.replace("something is down", "down"))
        engine.record.post("reload", {}, time.time())
        await engine.until(lambda: engine.told("reloaded"))
        engine.record.end_pause(pause.id, time.time())
        engine.record.post("rails_changed", {"what": ["resumed"]}, time.time())
        assert await engine.until(lambda: asked(engine))
    assert runner.playbooks == []


LIMITED = RULES.replace(
    "playbook: restart.yml,", 'playbook: restart.yml, limit: "{{ event.only }}",'
)


@pytest.mark.parametrize("event", [{}, {"only": "nosuch"}], ids=["left out", "unknown host"])
async def test_a_step_whose_hosts_cannot_be_told_is_not_run(
    tmp_path: Path, event: dict[str, str]
) -> None:
    """The solution is skipped and says which step; what a rail can't judge is not allowed."""
    rules = LIMITED.replace("playbook: replace.yml,", 'playbook: replace.yml, limit: "web1",')
    rules = rules.replace(
        "{playbook: restart.yml,",
        "{playbook: restart.undo.yml}\n        - {name: then, playbook: restart.yml,",
    )
    runner = MemoryRunner(known_hosts=[f"web{number}" for number in range(10)])
    rails = {"limits": [{"per": "global", "max": "10%", "every": "1h"}]}
    async with engine_inside(write_project(tmp_path, rules, rails=rails), runner) as engine:
        engine.emit({"down": "web1", **event})
        await engine.until(lambda: engine.all_healed(1))
        [healing] = engine.healings()
    assert runner.playbooks[:1] == ["replace.yml"]
    assert healing.attempts[0].outcome is Outcome.REFUSED
    assert "step 'then'" in healing.attempts[0].reason


class Unreadable(MemoryRunner):
    """Its inventory can't be read for now."""

    why = "the inventory script timed out"

    async def hosts(self, inventory: str = "") -> frozenset[str]:
        if self.why:
            raise ExecutionError(self.why)
        return self.known_hosts


async def test_an_inventory_that_cannot_be_read_is_waited_for(tmp_path: Path) -> None:
    """No limit is lifted by it: nothing runs until it can be read, and the record says why."""
    runner = Unreadable({"restart.yml": heals(tmp_path)}, known_hosts=["web1"])
    async with engine_inside(write_project(tmp_path), runner) as engine:
        engine.emit({"down": "web1"})
        [healing] = await engine.until(lambda: [one for one in engine.healings() if one.waiting])
        assert healing.waiting
        assert healing.waiting.reason is Refusal.RAIL_FAILED
        assert runner.why in healing.waiting.detail
        assert runner.playbooks == []
        runner.why = ""
        engine.record.post("rails_changed", {"what": ["read again"]}, time.time())
        await engine.until(lambda: engine.states() == [IncidentState.HEALED])
    assert runner.playbooks == ["restart.yml"]


async def test_a_script_that_names_nobody_lifts_no_rail(tmp_path: Path) -> None:
    """Ansible calls its silence a success; here it is an inventory that can't be read."""
    needs_ansible()
    script = write_project(tmp_path) / "inventory"
    script.write_text("#!/bin/sh\necho '{}'\n")
    script.chmod(0o700)
    runner = AnsibleRunner(tmp_path, tmp_path / ".selfheal")
    step = Step("restart", "restart.yml")
    solution = Solution("restart", "*", Strategy.QUICK_FIX, Risk.LOW, (step,))
    healing = Healing("he-1", "", "", "web1", HealingState.QUEUED, (solution,), {}, 1000.0)
    answer = await Reach(runner, LiveVariables()).of(healing, 0, 1000.0)
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.verdict) == (Refusal.RAIL_FAILED, Verdict.WAIT)
    assert "names no host" in answer.detail


async def test_a_human_is_called_when_the_inventory_stays_unreadable() -> None:
    """Waiting in silence has an end: after ten minutes the healing stops."""
    reach = Reach(Unreadable(), LiveVariables())
    waiting = Waiting(Refusal.RAIL_FAILED, "the inventory can't be read: so", 1000.0)
    solution = Solution("restart", "*", Strategy.QUICK_FIX, Risk.LOW, ())
    healing = Healing(
        "he-1", "", "", "web1", HealingState.QUEUED, (solution,), {}, 1000.0, waiting=waiting
    )
    answers = [await reach.of(healing, 0, 1000.0 + passed) for passed in (0.0, 599.0, 601.0)]
    verdicts = [one.verdict for one in answers if isinstance(one, Refused)]
    assert verdicts == [Verdict.WAIT, Verdict.WAIT, Verdict.STOP]


async def test_a_yes_does_not_outlive_its_time_in_a_pause(tmp_path: Path) -> None:
    """What waited until the question would have expired is asked about anew before it runs."""
    folder, runner = write_project(tmp_path, approval={"expires": "1s"}), MemoryRunner()
    async with engine_inside(folder, runner) as engine:
        engine.emit(RISKY)
        first = await engine.until(lambda: asked(engine))
        pause = Pause(new_id("pa"), Scope.GLOBAL, "", "wait", "ann", time.time())
        engine.record.add_pause(pause)
        say(engine, first.id, yes=True)
        await engine.until(lambda: time.time() > first.expires_at)
        engine.record.end_pause(pause.id, time.time())
        engine.record.post("rails_changed", {"what": ["resumed"]}, time.time())
        second = await engine.until(lambda: asked(engine))
        assert (second.id != first.id, runner.playbooks) == (True, [])
        say(engine, second.id, yes=True)
        await engine.until(lambda: engine.all_healed(1))
    assert runner.playbooks == ["replace.yml"]


async def test_a_yes_that_still_holds_is_not_asked_for_again(tmp_path: Path) -> None:
    """A pause between the yes and the run costs nobody a second answer."""
    folder, runner = write_project(tmp_path), MemoryRunner()
    async with engine_inside(folder, runner) as engine:
        engine.emit(RISKY)
        approval = await engine.until(lambda: asked(engine))
        pause = Pause(new_id("pa"), Scope.GLOBAL, "", "wait", "ann", time.time())
        engine.record.add_pause(pause)
        say(engine, approval.id, yes=True)
        await engine.until(lambda: engine.told("refused: paused"))
        engine.record.end_pause(pause.id, time.time())
        engine.record.post("rails_changed", {"what": ["resumed"]}, time.time())
        await engine.until(lambda: engine.all_healed(1))
        assert len(engine.record.approvals()) == 1
        decided = [text for text in engine.texts(Kind.DECISION) if "rebuild" in text]
    assert runner.playbooks == ["replace.yml"]
    assert len(decided) == 1, "asking again is no news"


async def test_autonomy_taken_back_binds_a_rung_that_waits(tmp_path: Path) -> None:
    """A rule that lost its autonomy while its second solution was held up asks first."""
    runner = MemoryRunner({"restart.yml": Reply(seconds=0.5), "replace.yml": heals(tmp_path)})
    async with engine_inside(write_project(tmp_path), runner) as engine:
        engine.emit({"down": "web1"})
        await engine.until(lambda: runner.playbooks)
        pause = Pause(new_id("pa"), Scope.GLOBAL, "", "let me look", "ann", time.time())
        engine.record.add_pause(pause)
        await engine.until(lambda: engine.healings()[0].waiting)
        change = AutonomyChange(
            new_id("au"),
            "shop",
            "something is down",
            Autonomy.APPROVE,
            Autonomy.AUTO,
            "ask me first",
            "ann",
            time.time(),
        )
        engine.record.change_autonomy(change)
        engine.record.end_pause(pause.id, time.time())
        engine.record.post("rails_changed", {"what": ["resumed"]}, time.time())
        approval = await engine.until(lambda: asked(engine))
        assert approval.solution == "replace"
        assert "replace.yml" not in runner.playbooks


async def test_a_question_about_what_is_over_is_taken_back_at_the_start(tmp_path: Path) -> None:
    """An engine that died between the end of a healing and its clearing up leaves nobody asked.

    The moment is too short to hit with a kill: the record is written as it stands then."""
    folder = write_project(tmp_path)
    async with engine_inside(folder, MemoryRunner()) as engine:
        engine.emit(RISKY)
        approval = await engine.until(lambda: asked(engine))
    record = open_record(load_project(folder).database)
    record.end_healing(approval.healing_id, Outcome.FAILED, "a test", time.time())
    record.close()
    async with engine_inside(folder, MemoryRunner()) as engine:
        withdrawn = ApprovalState.WITHDRAWN
        await engine.until(lambda: engine.record.approval(approval.id).state is withdrawn)


async def reloaded(engine: Inside, rules: str) -> None:
    """Edit the rulebook and wait until the engine has taken it up."""
    before = len([text for text in engine.texts() if text.startswith("reloaded")])
    (engine.folder / "rulebooks" / "shop.yml").write_text(rules)
    engine.record.post("reload", {}, time.time())
    await engine.until(
        lambda: len([text for text in engine.texts() if text.startswith("reloaded")]) > before
    )


async def test_a_reload_ends_what_was_set_for_good(tmp_path: Path) -> None:
    """Autonomy set beside the rulebook does not come back when the rulebook does."""
    runner = MemoryRunner({"restart.yml": heals(tmp_path)})
    async with engine_inside(write_project(tmp_path, with_autonomy("approve")), runner) as engine:
        trust = (Autonomy.AUTO, Autonomy.APPROVE, "it works", "ann", time.time())
        change = AutonomyChange(new_id("au"), "shop", "something is down", *trust)
        engine.record.change_autonomy(change)
        await reloaded(engine, with_autonomy("observe"))
        await reloaded(engine, with_autonomy("approve"))
        engine.emit({"down": "web1"})
        assert await engine.until(lambda: asked(engine))
    assert runner.playbooks == []


async def test_a_reload_takes_up_rails_and_policy(tmp_path: Path) -> None:
    """A window that is written into selfheal.yml holds from the reload on, like its policy."""
    folder, runner = write_project(tmp_path), MemoryRunner({"restart.yml": heals(tmp_path)})
    async with engine_inside(folder, runner) as engine:
        always = {"name": "all year", "time_intervals": [{"years": ["2020:2099"]}]}
        write_project(tmp_path, rails={"maintenance": [always]})
        await reloaded(engine, RULES)
        engine.emit({"down": "web1"})
        await engine.until(lambda: engine.told("refused: maintenance"))
        assert runner.playbooks == []
        write_project(tmp_path, approval={"risk": "low", "approvers": ["ann"]})
        await reloaded(engine, RULES)
        approval = await engine.until(lambda: asked(engine))
        assert approval.approvers == ("ann",)


async def test_a_wrong_configuration_refuses_the_reload_whole(tmp_path: Path) -> None:
    """Neither its rails nor the rulebooks beside it are taken up."""
    folder, runner = write_project(tmp_path), MemoryRunner({"restart.yml": heals(tmp_path)})
    async with engine_inside(folder, runner) as engine:
        write_project(tmp_path, RULES.replace("event.down", "event.off"), rails={"cooldown": 0})
        engine.record.post("reload", {}, time.time())
        await engine.until(lambda: engine.told("reload refused"))
        engine.emit({"down": "web1"})
        await engine.until(lambda: engine.states() == [IncidentState.HEALED])


async def test_what_is_queued_is_planned_anew_by_a_reload(tmp_path: Path) -> None:
    """A solution that was renamed and made critical while it waited is the one that is asked for,
    with the locks that it names now."""
    runner = MemoryRunner()
    async with engine_inside(write_project(tmp_path), runner) as engine:
        pause = Pause(new_id("pa"), Scope.GLOBAL, "", "it is wrong", "ann", time.time())
        engine.record.add_pause(pause)
        engine.emit({"down": "web1"})
        await engine.until(lambda: engine.told("refused: paused"))
        risky = RULES.replace("    - name: restart\n", "    - name: safely\n      locks: [db]\n")
        await reloaded(engine, risky.replace("risk: low", "risk: critical"))
        engine.record.end_pause(pause.id, time.time())
        engine.record.post("rails_changed", {"what": ["resumed"]}, time.time())
        approval = await engine.until(lambda: asked(engine))
        assert approval.solution == "safely"
        assert {lock.resource for lock in engine.record.locks()} == {"db", "host:web1"}
    assert runner.playbooks == []


async def test_what_is_queued_and_fits_no_longer_is_a_humans(tmp_path: Path) -> None:
    """Nothing runs when its solutions are gone from the rulebooks, and a human is told why."""
    folder, runner = write_project(tmp_path), MemoryRunner()
    async with engine_inside(folder, runner) as engine:
        pause = Pause(new_id("pa"), Scope.GLOBAL, "", "they are wrong", "ann", time.time())
        engine.record.add_pause(pause)
        engine.emit({"down": "web1"}, {"down": "web2"})
        await engine.until(lambda: len(engine.healings()) == 2)
        await reloaded(engine, RULES.replace("root_cause: web-*", "root_cause: app-*"))
        await engine.until(lambda: engine.states() == [IncidentState.MANUAL] * 2)
        assert {one.outcome for one in engine.healings()} == {Outcome.REFUSED}
        last = engine.record.decisions(engine.incidents()[0].id)[-1]
        assert last.refused is Refusal.NO_SOLUTION
    assert runner.playbooks == []
