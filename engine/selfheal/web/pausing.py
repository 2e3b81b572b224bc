"""Pausing and resuming by the API: as the verbs `pause` and `resume` do it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selfheal.model import Kind, Pause, Scope, new_id
from selfheal.ports import Record
from selfheal.web.problem import HttpProblem
from selfheal.web.views import plain

EVERYTHING = "everything"


def pause(record: Record, who: str, what: Any, why: str, now: float) -> Mapping[str, Any]:
    """Begin nothing new of `what`; return the pause. Raises HttpProblem."""
    scope, name = _scope(what)
    if not why.strip():
        raise HttpProblem(400, "a reason is needed: whoever finds it paused will ask")
    made = Pause(new_id("pa"), scope, name, why, who, now)
    with record.transaction():
        record.add_pause(made)
        _tell(record, f"paused ({_words(scope, name)}) by {who}: {why}", now)
    data: Mapping[str, Any] = plain(made)
    return data


def resume(record: Record, who: str, what: Any, why: str, now: float) -> Mapping[str, Any]:
    """Lift the pauses of `what`; return them. Raises HttpProblem 404 when there is none."""
    meant = _scope(what)
    with record.transaction():
        lifted = [one for one in record.pauses(now) if (one.scope, one.name) == meant]
        if not lifted:
            raise HttpProblem(404, f"not paused: {_words(*meant)}")
        for one in lifted:
            record.end_pause(one.id, now)
        said = f"resumed ({_words(*meant)}) by {who}"
        _tell(record, f"{said}: {why}" if why else said, now)
    return {"lifted": plain(lifted)}


def _scope(what: Any) -> tuple[Scope, str]:
    """`everything`, `rule:NAME` or `solution:NAME`."""
    if what == EVERYTHING:
        return Scope.GLOBAL, ""
    kind, _, name = what.partition(":") if isinstance(what, str) else ("", "", "")
    if kind not in (Scope.RULE.value, Scope.SOLUTION.value) or not name.strip():
        raise HttpProblem(400, f"what is {EVERYTHING}, rule:NAME or solution:NAME")
    return Scope(kind), name.strip()


def _words(scope: Scope, name: str) -> str:
    return f"{scope.value} {name}".strip()


def _tell(record: Record, text: str, now: float) -> None:
    """Put it into the story, and wake the engine."""
    record.tell(Kind.RAIL, text)
    record.post("rails_changed", {"what": [text]}, now)
