"""Where the playbooks of a firing run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from selfheal.errors import ActionError
from selfheal.model import Firing

# No pattern (`a:b`, `web[0:9]`), no file (`@hosts`), no option (`-e`): an event names hosts, it
# does not select them. An IPv6 address is a pattern to Ansible, so it can't be named, either.
_HOST = re.compile(r"\w[\w.-]*")
_GROUPS_OF_ANSIBLE = ("all", "ungrouped")


def hosts_of(firing: Firing, ruleset_hosts: tuple[str, ...]) -> tuple[str, ...]:
    """The hosts that `meta.hosts` of the matching events names, else the ruleset's.

    Raises ActionError when an event names what can't be a host."""
    named = tuple(host for event in firing.matches.values() for host in _named(event))
    for host in named:
        if not _HOST.fullmatch(host) or host in _GROUPS_OF_ANSIBLE:
            raise ActionError(f"meta.hosts of the event holds {host[:60]!r}, which is no host name")
    return named or ruleset_hosts


def _named(event: Mapping[str, Any]) -> Iterable[str]:
    meta = event.get("meta")
    hosts = meta.get("hosts") if isinstance(meta, Mapping) else None
    names = hosts if isinstance(hosts, list) else [hosts] if hosts else []
    return [part.strip() for name in names for part in str(name).split(",") if part.strip()]
