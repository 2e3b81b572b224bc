"""Storm: when too much is broken together, the cause is not in the single host.

The storm itself is on record: it holds for everybody, a restart does not end it, and only after
a time of calm is anything healed again.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from selfheal.config import Rails
from selfheal.config.amounts import Amount
from selfheal.config.rails import Storm as Settings
from selfheal.model import Refusal, Refused, Storm, Verdict, new_id
from selfheal.ports import GuardRecord, RailRecord
from selfheal.rails.request import RailRequest

# How long at most until it is looked at again: calm is the absence of events.
_LOOK_AGAIN = 30.0


class _Weather:
    """Which targets are unhealthy now: what nobody has reported for long counts no longer, and
    what was there when a human ended a storm does not make the same storm anew."""

    def __init__(self, record: RailRecord, now: float, settings: Settings) -> None:
        self._record = record
        self._since = now - settings.forget
        # An end that is still to come, by a clock that was set back, would hide all until then.
        self._ended = [
            one
            for one in record.storms(self._since)
            if one.ended_by and one.ended_at and one.ended_at <= now
        ]
        self._known: dict[float, frozenset[str]] = {}

    def unhealthy(self, group: str) -> frozenset[str]:
        """Targets, as far as a storm over that group is concerned."""
        ends = [one.ended_at or 0.0 for one in self._ended if one.group == group]
        since = max([self._since, *ends])
        if since not in self._known:
            self._known[since] = self._record.unhealthy_targets(since)
        return self._known[since]


@dataclass(frozen=True, slots=True)
class StormNews:
    """A storm began or ended: for the timeline, and one message to a human."""

    storm: Storm
    """As it is on record now."""
    text: str
    """One sentence."""


def storm(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Wait while a storm is on record, or one is beginning right now."""
    settings = config.storm
    if settings is None:
        return None
    for one in record.storms(math.inf):
        if one.ended_at is None:
            calm = ", calm but not for long" if one.calm_since is not None else ""
            detail = f"storm over {name_of(one.group)}{calm}"
            return _wait(detail, request.now, _calm_at(one, settings))
    weather = _Weather(record, request.now, settings)
    for group, members in _scopes(request.inventory, request.groups).items():
        if detail := _too_much(group, members, weather, settings):
            return _wait(detail, request.now, None)
    return None


def watch_storm(
    record: GuardRecord,
    inventory: frozenset[str],
    groups: Mapping[str, frozenset[str]],
    now: float,
    config: Rails,
) -> list[StormNews]:
    """Note on the record storms that begin, calm down, or end; return what a human is told.

    To be called whenever faults opened or ended, and every half minute while one holds. Each
    beginning and each end is returned once, whichever process asks."""
    settings = config.storm
    if settings is None:
        return [_end(record, one, now) for one in record.storms(math.inf) if one.ended_at is None]
    weather = _Weather(record, now, settings)
    holding = {one.group: one for one in record.storms(math.inf) if one.ended_at is None}
    news = []
    for group, members in _scopes(inventory, groups).items():
        detail = _too_much(group, members, weather, settings)
        if detail and group not in holding:
            began = Storm(new_id("sm"), group, tuple(sorted(members)), began_at=now)
            record.put_storm(began)
            news.append(StormNews(began, f"{detail}: nothing is healed until it is over"))
    for one in holding.values():
        # A group may have left the inventory meanwhile: its storm is judged by what it was.
        members = _scopes(inventory, groups).get(one.group) or frozenset(one.members)
        detail = _too_much(one.group, members, weather, settings)
        news += _go_on(record, one, bool(detail), settings, now)
    return news


def _go_on(
    record: GuardRecord, one: Storm, raging: bool, settings: Settings, now: float
) -> list[StormNews]:
    if raging:
        if one.calm_since is not None:
            record.put_storm(replace(one, calm_since=None))
    elif one.calm_since is None or one.calm_since > now:
        record.put_storm(replace(one, calm_since=now))
    elif now >= one.calm_since + settings.cool_down:
        return [_end(record, one, now)]
    return []


def _end(record: GuardRecord, one: Storm, now: float) -> StormNews:
    ended = replace(one, ended_at=now)
    record.put_storm(ended)
    return StormNews(ended, f"the storm over {name_of(one.group)} is over: healing goes on")


def _scopes(
    inventory: frozenset[str], groups: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    return {"": inventory, **groups}


def _too_much(group: str, members: frozenset[str], weather: _Weather, settings: Settings) -> str:
    """One sentence when too many of `members` are unhealthy, else nothing."""
    share: Amount | None = settings.groups if group else settings.share
    if share is None:
        return ""
    hosts = {host for target in weather.unhealthy(group) if (host := host_of(target, members))}
    if len(hosts) < settings.min_hosts:
        return ""
    if not share.exceeded_by(len(hosts), len(members)):
        return ""
    return f"storm: {len(hosts)} of {len(members)} hosts of {name_of(group)} are unhealthy"


def host_of(target: str, hosts: Collection[str]) -> str:
    """Return the host of the inventory that a target such as `web1:8080` means; empty: none."""
    if target in hosts:
        return target
    bare = target.partition("://")[2] or target
    bare = bare.partition("/")[0].rpartition("@")[2]
    bare = bare[1:].partition("]")[0] if bare.startswith("[") else bare.partition(":")[0]
    return bare if bare in hosts else ""


def _wait(detail: str, now: float, until: float | None) -> Refused:
    again = min(until if until is not None else math.inf, now + _LOOK_AGAIN)
    # Calm may be over in the past already: then whoever watches storms is late.
    return Refused(Refusal.STORM, detail, Verdict.WAIT, max(again, now + 1), everybody=True)


def _calm_at(one: Storm, settings: Settings) -> float | None:
    return None if one.calm_since is None else one.calm_since + settings.cool_down


def name_of(group: str) -> str:
    """Return in words what a storm is over."""
    return f"group {group}" if group else "the inventory"
