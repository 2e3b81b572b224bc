"""The rails once more, as plainly as can be: lists that are walked from end to end.

Nothing is shared with the rails but the configuration's numbers. Times are whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BAD = ("failed", "rolled_back", "rollback_failed")


@dataclass
class Try:
    """One attempt."""

    healing: str
    target: str
    rule: str
    solution: str
    began: float
    ended: float | None = None
    outcome: str = ""


@dataclass
class Heal:
    """One healing."""

    id: str
    target: str
    rule: str
    ladder: tuple[str, ...]
    rung: int = 0
    state: str = "queued"
    let_in_for: str = ""


@dataclass
class Held:
    """A pause, a silence or a window: for a target (empty: everything), in a time."""

    kind: str
    target: str
    start: float
    end: float


@dataclass
class Oracle:
    """What happened so far."""

    tries: list[Try] = field(default_factory=list)
    heals: dict[str, Heal] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    storm_ends: list[float] = field(default_factory=list)
    storming: bool = False

    MAX_TARGET = 2  # in HOUR, per target
    MAX_SOLUTION = 3  # in HOUR, per solution
    MAX_AT_ONCE = 2  # healings, global
    HOUR = 600.0
    COOLDOWN = 60.0
    SETTLE = 20.0
    FAILURES, WITHIN, REST = 2, 600.0, 300.0
    RAMP_MAX, RAMP_EVERY, RAMP_DURING = 1, 30.0, 120.0

    def answer(self, heal: Heal, stage: str, now: float) -> str:
        """The name of the refusal and what it means, or nothing."""
        solution = heal.ladder[heal.rung]
        begun = any(one.healing == heal.id for one in self.tries)
        for kind, name in (("pause", "paused"), ("window", "maintenance"), ("silence", "silenced")):
            if self.holds(kind, heal.target, now):
                return f"{name} wait"
        if self.storming:
            return "storm wait"
        if stage == "retry":
            return ""
        if self.resting(solution, now) or (
            self.tripped(solution) and self.others_at_work(heal, solution)
        ):
            return "breaker_open skip"
        if not begun and self.begun_since(heal, now, target=heal.target) >= self.MAX_TARGET:
            return "limit stop"
        used = any(one.healing == heal.id and one.solution == solution for one in self.tries)
        if not used and self.begun_since(heal, now, solution=solution) >= self.MAX_SOLUTION:
            return "limit skip"
        if stage == "start" and len(self.running(heal)) >= self.MAX_AT_ONCE:
            return "limit wait"
        ends = [one for one in self.tries if one.ended is not None and one.healing != heal.id]
        near = [one for one in ends if one.target == heal.target]
        if any(one.solution == solution and now - one.ended < self.COOLDOWN for one in near):
            return "cooldown wait"
        if not begun and any(now - one.ended < self.SETTLE for one in near):
            return "settling wait"
        if self.ramping(heal, now):
            return "ramp_up wait"
        return ""

    def holds(self, kind: str, target: str, now: float) -> bool:
        return any(
            one.kind == kind and one.start <= now < one.end and one.target in ("", target)
            for one in self.held
        )

    def running(self, besides: Heal) -> list[Heal]:
        return [one for one in self.heals.values() if one.state == "running" and one is not besides]

    def others_at_work(self, heal: Heal, solution: str) -> bool:
        return any(
            one.ended is None and one.solution == solution and one.healing != heal.id
            for one in self.tries
        )

    def begun_since(self, heal: Heal, now: float, target: str = "", solution: str = "") -> int:
        """Other healings whose first such attempt is in the window, or is still to come."""
        count = 0
        for other in self.heals.values():
            mine = [one for one in self.tries if one.healing == other.id]
            mine = [one for one in mine if not solution or one.solution == solution]
            if other is heal or (target and other.target != target):
                continue
            if mine:
                count += mine[0].began > now - self.HOUR
            elif other.state == "running":
                count += not solution or other.let_in_for == solution
        return count

    def tripped(self, solution: str) -> bool:
        bad: list[float] = []
        closed = sorted(
            (one for one in self.tries if one.ended is not None and one.solution == solution),
            key=lambda one: (one.ended, one.outcome == "healed"),
        )
        for one in closed:
            if one.outcome == "healed":
                bad = []
            elif one.outcome in BAD:
                bad.append(one.ended or 0.0)
        pairs = [(a, b) for a in bad for b in bad]
        return any(
            b - a <= self.WITHIN and sum(a <= x <= b for x in bad) >= self.FAILURES
            for a, b in pairs
        )

    def resting(self, solution: str, now: float) -> bool:
        ends = [
            one.ended
            for one in self.tries
            if one.ended is not None and one.solution == solution and one.outcome in BAD
        ]
        return self.tripped(solution) and now - max(ends) < self.REST

    def ramping(self, heal: Heal, now: float) -> bool:
        ends = [
            one.end
            for one in self.held
            if one.kind != "pause" and one.target in ("", heal.target) and one.start < one.end
        ]
        ends += self.storm_ends
        if not any(now - self.RAMP_DURING < end <= now for end in ends):
            return False
        return sum(now - one.began < self.RAMP_EVERY for one in self.tries) >= self.RAMP_MAX
