"""Anything may happen in any order: the rails agree with a plain reckoning, and never break."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from selfheal.model import Attempt, Fault, FaultState, Healing, Outcome, Refused, Stage, new_id
from selfheal.rails import watch_storm

from .oracle import Heal, Held, Oracle, Try
from .world import World, rails

HOSTS = ["h1", "h2", "h3", "h4", "h5", "h6"]
LADDERS = st.sampled_from([("restart", "replace"), ("replace", "rebuild"), ("restart",)])
OUTCOMES = [Outcome.HEALED, Outcome.FAILED, Outcome.ROLLED_BACK, Outcome.UNKNOWN]
CALM = 90.0

CONFIG: dict[str, Any] = {
    "limits": [
        {"per": "target", "max": Oracle.MAX_TARGET, "every": Oracle.HOUR},
        {"per": "solution", "max": Oracle.MAX_SOLUTION, "every": Oracle.HOUR},
        {"per": "global", "max": Oracle.MAX_AT_ONCE, "at_once": True},
    ],
    "cooldown": Oracle.COOLDOWN,
    "settle": Oracle.SETTLE,
    "breaker": {"failures": Oracle.FAILURES, "within": Oracle.WITHIN, "rest": Oracle.REST},
    "storm": {"share": "60%", "min_hosts": 3, "cool_down": CALM},
    "ramp_up": {"max": Oracle.RAMP_MAX, "every": Oracle.RAMP_EVERY, "during": Oracle.RAMP_DURING},
}


class Rails(RuleBasedStateMachine):
    """Faults are reported, healings begin and end, operators hold things, engines restart."""

    healings = Bundle("healings")

    @initialize()
    def begin(self) -> None:
        self.world = World(rails(**CONFIG))
        self.world.inventory = frozenset(HOSTS)
        self.oracle = Oracle()
        self.nouns: dict[str, Healing] = {}
        self.standing: dict[str, Fault] = {}
        self.open: dict[str, tuple[Attempt, Try]] = {}
        self.calm_since: float | None = None

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self._nothing_waits_for_ever()
        self.world.record.close()

    # What happens

    @rule(target=healings, host=st.sampled_from(HOSTS), which=st.sampled_from("ab"), ladder=LADDERS)
    def a_fault(self, host: str, which: str, ladder: tuple[str, ...]) -> Any:
        if f"{host} {which}" in self.standing:
            return multiple()
        # Each its own start: the same start would be a repeat of the one before.
        starts_at = self.world.now + len(self.nouns) / 1000
        fault = self.world.fault(host, rule=which, starts_at=starts_at)
        self.standing[f"{host} {which}"] = fault
        healing = self.world.healing(host, fault)
        self.nouns[healing.id] = healing
        self.oracle.heals[healing.id] = Heal(healing.id, host, which, ladder)
        self._watch()
        return healing.id

    @rule(hosts=st.sets(st.sampled_from(HOSTS), min_size=1))
    def faults_go_away(self, hosts: set[str]) -> None:
        for key in [key for key in self.standing if key.split()[0] in hosts]:
            self.world.close(self.standing.pop(key), FaultState.RESOLVED)
        self._watch()

    @rule(seconds=st.sampled_from([1, 5, 19, 20, 29, 30, 59, 60, 89, 90, 120, 299, 300, 600]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_(seconds)
        self._watch()

    @rule(ident=healings)
    def asks_to_start(self, ident: str) -> None:
        heal = self.oracle.heals[ident]
        if heal.state != "queued":
            return
        refused = self._asked(heal, Stage.START)
        if refused is None:
            solution = heal.ladder[heal.rung]
            self.world.record.admit(ident, solution, (heal.target,), self.world.now)
            # The lock of the target may be with another healing: then it stays queued.
            if self.world.record.start_healing(ident, self.world.now):
                heal.state, heal.let_in_for = "running", solution
        else:
            self._obey(heal, refused)

    @rule(ident=healings)
    def asks_for_a_rung(self, ident: str) -> None:
        heal = self.oracle.heals[ident]
        if heal.state != "running" or ident in self.open:
            return
        refused = self._asked(heal, Stage.RUNG)
        if refused is not None:
            self._obey(heal, refused)
            return
        solution = heal.ladder[heal.rung]
        self.world.record.admit(ident, solution, (heal.target,), self.world.now)
        heal.let_in_for = solution
        attempt = Attempt(new_id("at"), ident, heal.rung, solution, self.world.now)
        self._check_beginning(heal, solution)
        self.world.record.add_attempt(attempt)
        one = Try(ident, heal.target, heal.rule, solution, self.world.now)
        self.oracle.tries.append(one)
        self.open[ident] = attempt, one

    @rule(ident=healings, outcome=st.sampled_from(OUTCOMES))
    def an_attempt_ends(self, ident: str, outcome: Outcome) -> None:
        if ident not in self.open:
            return
        attempt, one = self.open.pop(ident)
        self.world.record.end_attempt(attempt.id, outcome, self.world.now)
        one.ended, one.outcome = self.world.now, outcome.value
        heal = self.oracle.heals[ident]
        if outcome is Outcome.HEALED:
            self._end(heal, outcome)
        else:
            self._next_rung(heal)

    @rule(ident=healings, outcome=st.sampled_from(OUTCOMES))
    def a_rung_from_its_beginning_to_its_end(self, ident: str, outcome: Outcome) -> None:
        """So that long histories are not left to luck."""
        self.asks_to_start(ident)
        self.asks_for_a_rung(ident)
        self.an_attempt_ends(ident, outcome)

    @rule(
        target=healings,
        host=st.sampled_from(HOSTS[:3]),
        ladder=LADDERS,
        outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=2),
        seconds=st.sampled_from([0, 5, 21, 61]),
    )
    def a_whole_healing(
        self, host: str, ladder: tuple[str, ...], outcomes: list[Outcome], seconds: int
    ) -> Any:
        """From the fault to its end, where nothing holds it."""
        self.world.pass_(seconds)
        self._watch()
        ident = self.a_fault(host, "a", ladder)
        if isinstance(ident, str):
            for outcome in outcomes:
                self.a_rung_from_its_beginning_to_its_end(ident, outcome)
        return ident

    @rule(
        kind=st.sampled_from(["pause", "silence", "window"]),
        host=st.sampled_from(["", *HOSTS[:3]]),
        in_=st.sampled_from([0, 10]),
        for_=st.sampled_from([1, 15, 40]),
    )
    def somebody_holds_it(self, kind: str, host: str, in_: int, for_: int) -> None:
        now = self.world.now
        if kind == "pause":
            self.world.pause(for_=for_)
            self.oracle.held.append(Held(kind, "", now, now + for_))
            return
        matchers = [f'target="{host}"'] if host else ["target=~h.*"]
        hold = self.world.silence if kind == "silence" else self.world.window
        hold(*matchers, for_=for_, in_=in_)
        self.oracle.held.append(Held(kind, host, now + in_, now + in_ + for_))

    @precondition(lambda self: self.oracle.held)
    @rule()
    def it_is_let_go(self) -> None:
        now, record = self.world.now, self.world.record
        for pause in record.pauses(now):
            record.end_pause(pause.id, now)
        for silence in record.silences(now):
            record.end_silence(silence.id, now)
        for window in record.maintenances(now):
            record.end_maintenance(window.id, now)
        for held in self.oracle.held:
            held.end = min(held.end, now)

    @rule()
    def the_engine_restarts(self) -> None:
        """It answers everything as before."""
        before = [self._answers(heal) for heal in self.oracle.heals.values()]
        self.world.restart()
        assert [self._answers(heal) for heal in self.oracle.heals.values()] == before

    # What must hold

    @invariant()
    def the_rails_say_what_is_reckoned(self) -> None:
        """At every moment, for every healing that could go on."""
        for heal in self.oracle.heals.values():
            if heal.state == "queued":
                self._asked(heal, Stage.START)
            elif heal.state == "running" and heal.id not in self.open:
                self._asked(heal, Stage.RUNG)
            elif heal.state == "running":
                self._asked(heal, Stage.RETRY)

    @invariant()
    def no_window_holds_more_than_its_limit(self) -> None:
        """Looking back from each beginning there are never more than the limit."""
        for last in self.oracle.tries:
            since = last.began - Oracle.HOUR
            span = [one for one in self.oracle.tries if since < one.began <= last.began]
            first = [one for one in span if one is self._first(one.healing)]
            assert sum(one.target == last.target for one in first) <= Oracle.MAX_TARGET
            healings = {one.healing for one in span if one.solution == last.solution}
            assert len(healings) <= Oracle.MAX_SOLUTION

    @invariant()
    def never_more_at_once(self) -> None:
        """Running ones count from the moment they are let through."""
        running = [one for one in self.oracle.heals.values() if one.state == "running"]
        assert len(running) <= Oracle.MAX_AT_ONCE

    def _check_beginning(self, heal: Heal, solution: str) -> None:
        """Nothing begins inside what holds it; no two probe one solution."""
        now = self.world.now
        for kind in ("pause", "silence", "window"):
            assert not self.oracle.holds(kind, heal.target, now)
        assert not self.oracle.storming
        if self.oracle.tripped(solution):
            assert not self.oracle.resting(solution, now)
            assert all(one.solution != solution for _, one in self.open.values())

    # How it goes on

    def _asked(self, heal: Heal, stage: Stage) -> Refused | None:
        refused = self.world.ask(self.nouns[heal.id], stage, solution=heal.ladder[heal.rung])
        expected = self.oracle.answer(heal, stage.value, self.world.now)
        said = f"{refused.reason.value} {refused.verdict.value}" if refused else ""
        assert said == expected, refused
        return refused

    def _answers(self, heal: Heal) -> list[Refused | None]:
        if heal.state == "done":
            return []
        solution = heal.ladder[heal.rung]
        return [self.world.ask(self.nouns[heal.id], one, solution=solution) for one in Stage]

    def _obey(self, heal: Heal, refused: Refused) -> None:
        if refused.verdict.value == "stop":
            self._end(heal, Outcome.REFUSED)
        elif refused.verdict.value == "skip":
            self._next_rung(heal)
        else:
            assert refused.until is None or refused.until > self.world.now

    def _next_rung(self, heal: Heal) -> None:
        if heal.rung + 1 < len(heal.ladder):
            heal.rung += 1
        else:
            self._end(heal, Outcome.FAILED)

    def _end(self, heal: Heal, outcome: Outcome) -> None:
        self.world.record.end_healing(heal.id, outcome, "", self.world.now)
        heal.state = "done"
        key, fault = f"{heal.target} {heal.rule}", self.world.faults[heal.id]
        if (standing := self.standing.get(key)) and standing.id == fault.id:
            self.world.close(self.standing.pop(key))
            self._watch()

    def _first(self, healing: str) -> Try:
        return next(one for one in self.oracle.tries if one.healing == healing)

    def _watch(self) -> None:
        """Reckon the storm, and hold the rail's news against it."""
        now, hosts = self.world.now, {key.split()[0] for key in self.standing}
        raging, expected = len(hosts) >= 4, 0
        if raging:
            expected, self.calm_since = int(not self.oracle.storming), None
            self.oracle.storming = True
        elif self.oracle.storming and self.calm_since is None:
            self.calm_since = now
        elif self.calm_since is not None and now >= self.calm_since + CALM:
            self.oracle.storming, self.calm_since, expected = False, None, 1
            self.oracle.storm_ends.append(now)
        world = self.world
        news = watch_storm(world.record, world.inventory, world.groups, now, world.config)
        assert len(news) == expected

    def _nothing_waits_for_ever(self) -> None:
        """When everything that holds has gone, whoever was told to wait may go on."""
        for ident in list(self.open):
            self.an_attempt_ends(ident, Outcome.HEALED)
        for heal in self.oracle.heals.values():
            if heal.state == "running":
                self._end(heal, Outcome.UNKNOWN)
        self.faults_go_away(set(HOSTS))
        self.it_is_let_go()
        self.world.pass_(CALM)
        self._watch()
        self.world.pass_(10_000)
        for heal in self.oracle.heals.values():
            if heal.state == "queued":
                assert self._asked(heal, Stage.START) is None


Rails.TestCase.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, report_multiple_bugs=False
)
TestRails = Rails.TestCase
