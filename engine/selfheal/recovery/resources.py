"""What a healing locks: the host of its target, and what its solutions name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from selfheal.errors import TemplateError
from selfheal.model import Healing, Lock, Solution, host_name
from selfheal.ports.locks import EVERY_HOST, HOST
from selfheal.templates import is_template, render

ALL_HOSTS = EVERY_HOST[1]
_LONGEST = 200
_MOST_NAMED = 5
_NAME = re.compile(r"[\w.\-:%]+")


def locks_of(
    ladder: Iterable[Solution], context: Mapping[str, Any], hosts: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return everything that is to be locked, sorted, for `Healing.locks`.

    `context` is the healing's: target, component, fault. `hosts` are known by name: those a run
    by hand is limited to; `*` means all. Raises TemplateError, naming the solution, when one of
    its `locks` can't be rendered to a name."""
    target, component = (str(context.get(key) or "") for key in ("target", "component"))
    names = [ALL_HOSTS if host == "*" else f"{HOST}{host_name(host)}" for host in hosts]
    if target.strip():
        names.append(_target(target))
    elif not names:
        names.append(f"component:{component}")
    for solution in ladder:
        names += [_named(solution, raw, context) for raw in solution.locks]
    return tuple(sorted(set(names)))


def needed_by(healing: Healing, hosts: Iterable[str] = ()) -> tuple[str, ...]:
    """Return what a healing locks, those hosts besides, sorted."""
    names = set(healing.locks or (healing.resource,))
    if names.isdisjoint(EVERY_HOST):
        names.update(f"{HOST}{host_name(host)}" for host in hosts)
    return tuple(sorted(names))


def locked_among(healing: Healing, hosts: Iterable[str]) -> frozenset[str]:
    """Return those of the hosts that the healing locks."""
    names = set(needed_by(healing))
    if not names.isdisjoint(EVERY_HOST):
        return frozenset(hosts)
    return frozenset(host for host in hosts if f"{HOST}{host_name(host)}" in names)


def hosts_locked_beside(healing: Healing) -> tuple[str, ...]:
    """Return the hosts it locks that neither its target nor a `locks` of its ladder names."""
    try:
        named = set(locks_of(healing.ladder, healing.context))
    except TemplateError:
        return ()
    beside = (name for name in needed_by(healing) if name.startswith(HOST) and name not in named)
    return tuple(name.removeprefix(HOST) for name in beside if name not in EVERY_HOST)


def told_locks(locks: list[Lock]) -> str:
    """Return who holds what, in words; of many the first few."""
    said = [f"{one.resource} is held by {one.healing_id} ({one.holder})" for one in locks]
    more = [f"and {len(said) - _MOST_NAMED} more"] if len(said) > _MOST_NAMED else []
    return "; ".join([*said[:_MOST_NAMED], *more])


def _target(target: str) -> str:
    host = host_name(target)
    # What is no name can't be a host, and above all not the pattern that means all of them.
    return f"{HOST}{host}" if _NAME.fullmatch(host) else f"target:{target.strip()[:_LONGEST]}"


def _named(solution: Solution, raw: str, context: Mapping[str, Any]) -> str:
    where = f"solution {solution.name!r}: lock {raw!r}"
    labels = (context.get("fault") or {}).get("labels", {})
    try:
        name = render(raw, {"labels": labels, **context})
    except TemplateError as error:
        raise TemplateError(f"{where} can't be rendered: {error}") from error
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise TemplateError(f"{where} became {str(name)[:100]!r}, which is no name")
    name = name.strip()
    if len(name) > _LONGEST:
        raise TemplateError(f"{where} became a name of {len(name)} characters")
    if name.startswith(HOST) and name not in EVERY_HOST:
        name = f"{HOST}{host_name(name.removeprefix(HOST))}"
    if name in EVERY_HOST and is_template(raw):
        raise TemplateError(f"{where} became {name!r}: an event can't lock every host")
    return name
