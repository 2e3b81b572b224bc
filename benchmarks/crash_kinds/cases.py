"""What is reported to the engine, and what must follow from it."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any


class Follows(Enum):
    """What an acknowledged report must lead to."""

    HEALING = "healing"
    """A fault whose healing ends."""
    ACTION = "action"
    """One run of a playbook, or a note that its end is unknown."""


class Answer(Enum):
    """What became of a report that was sent."""

    WAITING = "waiting"
    """Not sent yet, or it can't have been taken in: it is sent again."""
    TAKEN = "taken"
    """Answered 2xx: the engine promises that its effect follows."""
    OPEN = "open"
    """The connection broke: it may have been taken in, or not."""


class Way(Enum):
    """How a report reaches the engine."""

    ALERTMANAGER = "alertmanager"
    """A POST to the Alertmanager source."""
    WEBHOOK = "webhook"
    """A POST to the webhook."""
    EMIT = "emit"
    """`selfheal emit`, which is done when the event is on disk, engine or not."""


@dataclass(slots=True)
class Report:
    """One message to the engine."""

    case: Case
    """What it belongs to."""
    way: Way
    """How it is sent."""
    body: dict[str, Any]
    """JSON."""
    life: int
    """In which life of the engine it is sent first, counted from 0."""
    answer: Answer = Answer.WAITING
    """What became of it."""
    sent: int = 0
    """How often it may have been taken in."""


@dataclass(slots=True)
class Case:
    """One thing that happens, told in one or more reports."""

    key: str
    """Unique in its trial; the target of its fault."""
    kind: str
    """For people."""
    follows: Follows
    """What must come of it."""
    family: str = ""
    """Root cause of its fault."""
    modes: tuple[str, str] = ("ok", "ok")
    """How the two rungs of its ladder behave."""
    most: int = 1
    """Runs of its action at most."""
    component: str = ""
    """Of its fault."""
    denied: bool = False
    """A human says no to its first rung, where one is asked."""
    repeatable: bool = True
    """A report may be sent again after a broken connection."""
    reports: list[Report] = field(default_factory=list)
    """In order."""

    @property
    def promised(self) -> bool:
        """Every report was acknowledged, so the effect must follow."""
        return all(report.answer is Answer.TAKEN for report in self.reports)

    @property
    def begun(self) -> bool:
        """At least one report may have reached the engine."""
        return any(report.sent for report in self.reports)


EMITTED = 0.2
"""Share of the events for rules with actions that come by the command line."""
R1 = ("ok", "ok", "ok", "f1", "f2", "nofix", "badundo")
R2 = ("ok", "ok", "nofix", "f1")


def make_cases(dice: random.Random, lives: int, slow: float) -> list[Case]:
    """Return the cases of a trial; runs take up to `slow` times 400 ms."""
    maker = _Maker(dice, lives, slow)
    cases = [maker.fault(hook=dice.random() < 0.3) for _ in range(lives)]
    if dice.random() < 0.5:
        cases += maker.same_target()
    if dice.random() < 0.5:
        cases += [maker.fault(family="named") for _ in range(2)]
    if dice.random() < 0.5:
        cases.append(maker.asked())
    for kind, count, gaps in (
        ("act", 1, 0),
        ("pair", 2, 2),
        ("within", 2, 2),
        ("after", 2, 1),
        ("third", 3, 1),
    ):
        cases.append(maker.acting(kind, count, gaps))
    return cases


class _Maker:
    def __init__(self, dice: random.Random, lives: int, slow: float) -> None:
        self._dice = dice
        self._lives = lives
        self._slow = slow
        self._number = 0

    def fault(self, *, hook: bool = False, family: str = "", target: str = "") -> Case:
        """Return a fault that is reported once, or by Alertmanager perhaps twice."""
        key = target or self._key("flt")
        case = Case(
            key=key,
            kind="hook" if hook else "alert",
            follows=Follows.HEALING,
            family=family or self._dice.choice(("plain", "again")),
            modes=(self._dice.choice(R1), self._dice.choice(R2)),
            component=f"web-{self._number}",
        )
        self._number += 1
        first = self._dice.randrange(self._lives)
        body = self._body(case)
        times = 1 if hook or self._dice.random() < 0.7 else 2
        for turn in range(times):
            life = min(first + turn, self._lives - 1)
            way, sent = (Way.WEBHOOK, body) if hook else (Way.ALERTMANAGER, _alert(body))
            case.reports.append(Report(case, way, sent, life))
        return case

    def same_target(self) -> list[Case]:
        """Two faults of one target: their playbooks must never run side by side."""
        key = self._key("two")
        cases = [self.fault(target=key) for _ in range(2)]
        for case in cases:
            case.kind = "same"
        return cases

    def asked(self) -> Case:
        """Return a fault whose first rung needs a human's yes; reported early, answered late."""
        case = self.fault(family="asked")
        case.kind = "asked"
        case.denied = self._dice.random() < 0.3
        for report in case.reports:
            report.life = min(report.life, 1)
        return case

    def acting(self, kind: str, count: int, gap: int) -> Case:
        """Return a case that ends in one run of `act.yml`, told in `count` reports."""
        case = Case(
            key=self._key(kind),
            kind=kind,
            follows=Follows.ACTION,
            repeatable=False,
            # A window that began before a kill may be over by the second report.
            most=2 if kind == "after" else 1,
        )
        first = self._dice.randrange(self._lives)
        for turn in range(count):
            body = {"kind": kind, "key": case.key, "half": turn + 1, "ms": self._duration()}
            life = min(first + turn * gap, self._lives - 1)
            way = Way.EMIT if self._dice.random() < EMITTED else Way.WEBHOOK
            case.reports.append(Report(case, way, body, life))
        return case

    def _body(self, case: Case) -> dict[str, Any]:
        return {
            "kind": "hook",
            "target": case.key,
            "component": case.component,
            "family": case.family,
            "r1": case.modes[0],
            "r2": case.modes[1],
            "ms": str(self._duration()),
            "starts_at": datetime.fromtimestamp(time.time(), UTC).isoformat(),
        }

    def _duration(self) -> int:
        return int(self._dice.choice((0, 50, 200, 400, 400, 2000)) * self._slow)

    def _key(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}{self._number}"


def _alert(body: dict[str, Any]) -> dict[str, Any]:
    labels = {name: value for name, value in body.items() if name != "starts_at"}
    alert = {
        "status": "firing",
        "labels": {"alertname": "Crash", "instance": body["target"], **labels},
        "annotations": {},
        "startsAt": body["starts_at"],
        "fingerprint": f"{body['target']}-{body['component']}",
    }
    return {"version": "4", "status": "firing", "alerts": [alert]}
