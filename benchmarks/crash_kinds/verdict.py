"""Compares what was promised, what was done and what is on record."""

from __future__ import annotations

import fcntl
import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.crash_kinds.cases import Case, Follows
from benchmarks.crash_kinds.effects import Run, most_at_once, read_effects
from benchmarks.crash_kinds.engine import rows

if TYPE_CHECKING:
    from benchmarks.crash_kinds.receiver import Receiver
    from benchmarks.crash_kinds.sender import Sender
    from benchmarks.crash_kinds.trial import Course

_MOMENT = 0.05
"""Clocks of two processes and of the kernel are compared with this slack, seconds."""


@dataclass(slots=True)
class Counts:
    """What one trial amounts to; all but the first two, and `ready`, should be nothing."""

    kills: int = 0
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    """Acknowledged reports whose effect never followed."""
    steps_repeated: list[str] = field(default_factory=list)
    rollbacks_repeated: list[str] = field(default_factory=list)
    locks_left: list[str] = field(default_factory=list)
    orphans_left: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Overlaps, wrong order or outcome, healings without end, calls for a human that never came."""
    ready: list[float] = field(default_factory=list)
    """Seconds to readiness, a value a start."""

    @property
    def clean(self) -> bool:
        """Nothing was found."""
        return not any(self.findings().values())

    def findings(self) -> dict[str, list[str]]:
        """Return what was found, by name of the count."""
        return {
            name: getattr(self, name)
            for name in (
                "lost",
                "steps_repeated",
                "rollbacks_repeated",
                "locks_left",
                "orphans_left",
                "wrong",
            )
        }


class Facts:
    """The record and the effects log of one trial, as they are now."""

    def __init__(self, course: Course) -> None:
        site = course.site
        self.runs = read_effects(site.folder)
        self.faults = rows(site, "SELECT * FROM faults")
        self.incidents = {one["id"]: one for one in rows(site, "SELECT * FROM incidents")}
        self.healings = rows(site, "SELECT * FROM healings")
        self.attempts = rows(site, "SELECT * FROM attempts ORDER BY started_at, id")
        self.approvals = rows(site, "SELECT * FROM approvals")
        self.steps = {one["ident"]: one for one in rows(site, "SELECT * FROM steps")}

    def faults_of(self, case: Case) -> list[dict[str, Any]]:
        """Return the rows of a case's fault."""
        return [
            fault
            for fault in self.faults
            if fault["target"] == case.key and fault["component"] == case.component
        ]

    def actions_of(self, case: Case) -> list[Run]:
        """Return the runs of a case's action."""
        return [run for run in self.runs if run.what == "act" and run.key == case.key]

    def recorded_actions(self, case: Case) -> int:
        """Return how many runs of that case's rule have ended on record, in whatever way.

        Killed before its first effect, a run has failed, or nobody knows how it ended: that is
        told to a human, and never repeated.
        """
        return sum(
            step["kind"] == "action" and step["name"] == case.kind and step["state"] != "running"
            for step in self.steps.values()
        )


def unfinished(course: Course) -> list[str]:
    """Return what is still under way, or promised and not seen yet."""
    facts = Facts(course)
    open_now = [one["id"] for one in facts.incidents.values() if one["state"] == "open"]
    open_now += [one["id"] for one in facts.healings if one["state"] != "done"]
    open_now += [ident for ident, one in facts.steps.items() if one["state"] == "running"]
    return open_now + [case.key for case in course.cases if _is_lost(case, facts)]


def judge(course: Course, sender: Sender, receiver: Receiver) -> Counts:
    """Return everything that is not as it was promised."""
    counts = Counts(kills=course.kills, acknowledged=sender.acknowledged)
    if not course.site.database.exists():
        counts.wrong = [*course.complaints, "no engine has ever made a record"]
        return counts
    facts = Facts(course)
    counts.ready = [ready - began for began, ready in course.lives]
    counts.lost = [
        f"{case.kind} {case.key}: no {case.follows.value}"
        for case in course.cases
        if _is_lost(case, facts)
    ]
    _find_repeats(course, facts, counts)
    counts.locks_left = _locks_left(course)
    counts.orphans_left = [f"{one.pid} {one.command[:120]}" for one in course.orphans]
    counts.wrong = [*course.complaints, *sender.refused, *_wrong(course, facts, receiver)]
    return counts


def _is_lost(case: Case, facts: Facts) -> bool:
    if not case.promised:
        return False
    if case.follows is Follows.HEALING:
        return not facts.faults_of(case)
    return not facts.actions_of(case) and not facts.recorded_actions(case)


def _find_repeats(course: Course, facts: Facts, counts: Counts) -> None:
    for runs in _by_step(facts).values():
        what = f"{runs[0].what} {runs[0].step} of {runs[0].key} in {runs[0].attempt}"
        if len(runs) == 1:
            continue
        if runs[0].what == "undo":
            counts.rollbacks_repeated.append(f"{what}: {len(runs)} times")
        elif not _may_repeat(runs, facts):
            states = [facts.steps.get(run.ident, {}).get("state", "none") for run in runs]
            counts.steps_repeated.append(f"{what}: {states}")
    for case in course.cases:
        sent = max((report.sent for report in case.reports), default=1)
        acted = facts.actions_of(case)
        if case.follows is Follows.ACTION and len(acted) > max(case.most, sent):
            counts.steps_repeated.append(f"{case.kind} {case.key}: {len(acted)} runs")


def _by_step(facts: Facts) -> dict[tuple[str, str, str], list[Run]]:
    found = defaultdict(list)
    for run in facts.runs:
        if run.what != "act":
            found[run.attempt, run.what, run.step].append(run)
    return found


def _may_repeat(runs: list[Run], facts: Facts) -> bool:
    """Only an idempotent step, only once, only when nobody knows how the first run ended."""
    first = facts.steps.get(runs[0].ident, {})
    attempt = next((one for one in facts.attempts if one["id"] == runs[0].attempt), {})
    idempotent = str(attempt.get("solution", "")).endswith("-again")
    return len(runs) == 2 and idempotent and first.get("state") == "unknown"


def _locks_left(course: Course) -> list[str]:
    found = [f"{one['resource']} of {one['healing_id']}" for one in _lock_rows(course)]
    state = course.site.folder / ".selfheal"
    found += [f"file {path.name}" for path in state.glob("by-hand/*")]
    with (state / "engine.lock").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found.append("engine.lock")
    return found


def _lock_rows(course: Course) -> list[dict[str, Any]]:
    if not rows(course.site, "SELECT 1 FROM sqlite_master WHERE name = 'locks'"):
        return []
    return rows(course.site, "SELECT * FROM locks")


def _wrong(course: Course, facts: Facts, receiver: Receiver) -> list[str]:
    from benchmarks.crash_kinds.outcomes import wrong_outcomes

    return [
        *_never_ended(facts),
        *_never_intended(facts),
        *_overlaps(course, facts),
        *_beyond_limit(course, facts),
        *_effects_of_the_dead(course, facts),
        *_not_adopted(course, facts),
        *_untold(facts, receiver),
        *wrong_outcomes(course, facts),
    ]


def _never_ended(facts: Facts) -> list[str]:
    found = [f"{one['id']} is open" for one in facts.incidents.values() if one["state"] == "open"]
    return found + [
        f"{step['kind']} {step['name']!r} ({ident}) is recorded as running for ever"
        for ident, step in facts.steps.items()
        if step["state"] == "running"
    ]


def _never_intended(facts: Facts) -> list[str]:
    return [
        f"{run.what} {run.step} of {run.key} ran without being on record"
        for run in facts.runs
        if run.ident not in facts.steps
    ]


def _overlaps(course: Course, facts: Facts) -> list[str]:
    """Two playbooks on one target, or of one named lock, at the same time."""
    locked = {case.key: "haproxy:web" for case in course.cases if case.family == "named"}
    by_resource = defaultdict(list)
    for run in facts.runs:
        if run.what != "act":
            by_resource[run.key].append(run)
            if run.key in locked:
                by_resource[locked[run.key]].append(run)
    found = []
    for resource, runs in by_resource.items():
        for earlier, later in itertools.pairwise(runs):
            if earlier.ended is not None and later.began < earlier.ended:
                found.append(
                    f"overlap on {resource}: {earlier.step} ({earlier.ident}) ended "
                    f"{earlier.ended - later.began:.2f} s after {later.step} began"
                )
    return found


def _beyond_limit(course: Course, facts: Facts) -> list[str]:
    most = most_at_once(run for run in facts.runs if run.what != "act")
    if course.at_once is None or most <= course.at_once:
        return []
    return [f"{most} playbooks at once, where {course.at_once} healings may run"]


def _effects_of_the_dead(course: Course, facts: Facts) -> list[str]:
    """A playbook of a dead engine that still worked when the next engine was ready."""
    return [
        f"{run.what} {run.step} of {run.key} worked on after the next engine was ready"
        for run in facts.runs
        for began, ready in course.lives
        if run.began < began - _MOMENT and run.ended is not None and run.ended > ready + _MOMENT
    ]


def _not_adopted(course: Course, facts: Facts) -> list[str]:
    """Artifacts that show the end, and a record that does not know it."""
    artifacts = course.site.folder / ".selfheal" / "runner" / "artifacts"
    return [
        f"{ident} is {step['state']} though its artifacts show the end"
        for ident, step in facts.steps.items()
        if step["state"] == "unknown" and _shows_an_end(artifacts / ident)
    ]


def _shows_an_end(artifact: Path) -> bool:
    """A kill between its making and its writing leaves an empty file, which shows no end; nor does
    `None`, which stands for Ansible killed by a signal: how far it came nobody saw."""
    status, rc = (
        path.read_text().strip() if path.exists() else ""
        for path in (artifact / "status", artifact / "rc")
    )
    return bool(status) and rc not in ("", "None")


def _untold(facts: Facts, receiver: Receiver) -> list[str]:
    told = receiver.incidents()
    return [
        f"{ident}: nobody was told that a human is needed"
        for ident, incident in facts.incidents.items()
        if incident["state"] == "manual" and ident not in told
    ]
