"""Limits: how much may be done in a time, and at once. All of them hold."""

from __future__ import annotations

from collections.abc import Iterator

from selfheal.config import Rails
from selfheal.config.rails import Limit
from selfheal.duration import format_duration
from selfheal.model import Key, Refusal, Refused, Stage, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.request import RailRequest


def limits(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Wait for what is at work to end; stop, or skip the solution, when a window is full."""
    for limit in config.limits:
        if request.by_hand and not limit.at_once:
            continue
        if refused := _one(limit, request, record):
            return refused
    return None


def _one(limit: Limit, request: RailRequest, record: RailRecord) -> Refused | None:
    if "group" in limit.per or limit.max.is_percent:
        wholes = _wholes(limit, request)
        return next((no for one in wholes if (no := _hosts(limit, *one, request, record))), None)
    key = _key(limit, request)
    if key is None:
        return None
    return (_at_once if limit.at_once else _within)(limit, key, request, record)


def _key(limit: Limit, request: RailRequest) -> Key | None:
    """What is counted together with this healing; None when a part of it is not known."""
    full = request.key
    if "rule" in limit.per and not full.rule:
        return None
    return Key(
        target=full.target if "target" in limit.per else "",
        ruleset=full.ruleset if "rule" in limit.per else "",
        rule=full.rule if "rule" in limit.per else "",
        solution=full.solution if "solution" in limit.per else "",
    )


def _at_once(limit: Limit, key: Key, request: RailRequest, record: RailRecord) -> Refused | None:
    if request.stage is not Stage.START and not key.solution:
        return None  # it was counted in when it was let through to its locks
    # Later two that hold each other's place would wait for ever: only what is at work counts.
    at_work = request.stage is not Stage.START
    found = record.healings_running(key, besides=request.healing_id, at_work=at_work)
    return _wait(limit, found) if found >= limit.max.number else None


def _within(limit: Limit, key: Key, request: RailRequest, record: RailRecord) -> Refused | None:
    if record.has_begun(request.healing_id, key.solution):
        return None  # counted already; what was begun may go on
    since = request.now - (limit.every or 0.0)
    found = record.healings_begun(key, since, request.now, besides=request.healing_id)
    if found.number < limit.max.number:
        return None
    detail = f"{found.number} in {format_duration(limit.every or 0.0)} {_per(limit)}"
    if found.oldest is not None:
        detail += f", the first {format_duration(request.now - found.oldest)} ago"
    return _full(limit, detail, Verdict.SKIP if key.solution else Verdict.STOP)


def _wholes(limit: Limit, request: RailRequest) -> Iterator[tuple[str, frozenset[str]]]:
    if "group" in limit.per:
        yield from ((f"group {name}", hosts) for name, hosts in request.groups.items())
    elif request.inventory:
        yield "the inventory", request.inventory


def _hosts(
    limit: Limit, name: str, whole: frozenset[str], request: RailRequest, record: RailRecord
) -> Refused | None:
    most, mine = limit.max.of(len(whole)), whole & frozenset(request.hosts or ())
    if len(mine) > most:
        detail = f"it alone would touch {len(mine)} of {len(whole)} hosts of {name}"
        return _full(limit, detail, Verdict.SKIP)
    if limit.every is not None:
        touched = record.hosts_touched(whole, request.now - limit.every, request.now)
        if mine and len(touched | mine) > most:
            span = format_duration(limit.every)
            detail = f"{len(touched)} of {len(whole)} hosts of {name} were touched in {span}"
            return _full(limit, detail, Verdict.STOP)
        return None
    at_work = request.stage is not Stage.START
    others = whole & record.hosts_running(besides=request.healing_id, at_work=at_work)
    return _wait(limit, len(others)) if mine and len(others | mine) > most else None


def _wait(limit: Limit, found: int) -> Refused:
    return _full(limit, f"{found} at work {_per(limit)}", Verdict.WAIT)


def _full(limit: Limit, detail: str, verdict: Verdict) -> Refused:
    return Refused(Refusal.LIMIT, f"{detail}; at most {limit.max}", verdict)


def _per(limit: Limit) -> str:
    return f"per {' and '.join(limit.per)}"
