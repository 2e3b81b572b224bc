"""Whether each healing went the way it should, and ended as it should."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from benchmarks.crash_kinds.cases import Case, Follows

if TYPE_CHECKING:
    from benchmarks.crash_kinds.trial import Course
    from benchmarks.crash_kinds.verdict import Facts

_ENDS = ("healed", "failed", "rolled_back", "rollback_failed", "denied")
_ECHO = "echo"
"""What was reported only while its target settled, and is no fault when it is looked at then."""
_HELPS, _UNDO_FAILS = "ok", "badundo"


def wrong_outcomes(course: Course, facts: Facts) -> list[str]:
    """Return one line for each thing that is not as it should be."""
    found: list[str] = []
    by_incident = defaultdict(list)
    echoes = {fault["incident_id"] for fault in facts.faults if fault["state"] == _ECHO}
    untouchable = {one["resource"] for one in facts.healings if one["outcome"] == "rollback_failed"}
    for healing in facts.healings:
        by_incident[healing["incident_id"]].append(healing)
        # Where a rollback failed nothing more is done until a human has looked.
        if healing["outcome"] == "refused" and healing["resource"] in untouchable:
            continue
        if healing["outcome"] == "refused" and healing["incident_id"] in echoes:
            continue
        if healing["state"] != "done" or healing["outcome"] not in _ENDS:
            found.append(f"{healing['id']} is {healing['state']}, {healing['outcome']}")
    found += [
        f"{incident}: {len(healings)} healings of one fault"
        for incident, healings in by_incident.items()
        if len(healings) > 1
    ]
    for case in course.cases:
        if case.follows is Follows.HEALING:
            for fault in facts.faults_of(case):
                found += _of_fault(course, facts, case, fault, by_incident[fault["incident_id"]])
    return found + _wrong_ways(facts) + _wrong_questions(facts)


def _of_fault(
    course: Course,
    facts: Facts,
    case: Case,
    fault: dict[str, Any],
    healings: list[dict[str, Any]],
) -> list[str]:
    real = [one for one in facts.faults_of(case) if one["state"] != _ECHO]
    if len(real) > 1:
        return [f"{case.key}: {len(real)} faults for one"]
    if fault["state"] == _ECHO:
        return [] if course.site.mended(case.key) else [f"{case.key}: an echo, and not mended"]
    if not healings or healings[0]["outcome"] is None:
        return [f"{case.key}: its fault is {fault['state']} without a healing that ended"]
    healing = healings[0]
    outcome = healing["outcome"]
    found = []
    alone = case.kind != "same"  # two faults of one target share its world
    # A rollback that was cut off says so: the world may be as it was before it, or after.
    known = alone and outcome != "rollback_failed"
    if known and (outcome == "healed") != course.site.mended(case.key):
        found.append(f"{case.key}: {outcome}, but mended is {course.site.mended(case.key)}")
    if alone and _undisturbed(course, healing) and outcome != _expected(case):
        found.append(f"{case.key} {case.modes}: {outcome}, expected {_expected(case)}")
    return found


def _undisturbed(course: Course, healing: dict[str, Any]) -> bool:
    """Nothing was killed or stopped while the healing was under way."""
    return not any(
        healing["created_at"] - 0.5 <= kill <= healing["ended_at"] + 0.1
        for kill in course.kill_times
    )


def _expected(case: Case) -> str:
    first, second = case.modes
    if case.denied:
        return "denied"
    if first == _UNDO_FAILS:
        return "rollback_failed"
    return "healed" if _HELPS in (first, second) else "rolled_back"


def _wrong_questions(facts: Facts) -> list[str]:
    """A human is asked once a rung, and a rung that needs a yes is not begun without one."""
    found, asked = [], defaultdict(list)
    for approval in facts.approvals:
        asked[approval["healing_id"], approval["rung"]].append(approval["state"])
    for (healing, rung), states in asked.items():
        if len(states) > 1:
            found.append(f"{healing}: asked {len(states)} times about rung {rung}: {states}")
    for attempt in facts.attempts:
        states = asked[attempt["healing_id"], attempt["rung"]]
        if attempt["solution"] == "first-asked" and states != ["approved"]:
            found.append(f"{attempt['id']}: begun though its approval is {states}")
    return found


def _wrong_ways(facts: Facts) -> list[str]:
    """Rungs tried twice, steps out of order, steps that ran and were never undone."""
    found = []
    seen = set()
    steps_of = defaultdict(list)
    for run in facts.runs:
        steps_of[run.attempt].append(run)
    for attempt in facts.attempts:
        rung = (attempt["healing_id"], attempt["rung"], attempt.get("batch", 0))
        if rung in seen:
            found.append(f"{attempt['healing_id']}: rung {attempt['rung']} was tried twice")
        seen.add(rung)
        runs = steps_of[attempt["id"]]
        done = [facts.steps[run.ident] for run in runs if run.ident in facts.steps]
        did = [step["index"] for step in done if step["kind"] == "step"]
        undid = [step["index"] for step in done if step["kind"] == "rollback"]
        if did != sorted(did) or undid != sorted(undid, reverse=True):
            found.append(f"{attempt['id']}: order {did}, undone {undid}")
        if attempt["outcome"] in ("failed", "rolled_back") and set(did) - set(undid):
            missing = set(did) - set(undid)
            # A rollback that a kill met before its first effect has run as far as is known.
            known = {
                step["index"]
                for step in facts.steps.values()
                if step["attempt_id"] == attempt["id"] and step["kind"] == "rollback"
            }
            if missing - known:
                found.append(f"{attempt['id']}: {attempt['outcome']}, never undone: {missing}")
    return found
