"""A digest of what a matcher's state depends on: other rules can't take that state up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from selfheal.model.condition import Path
from selfheal.model.rulebook import Ruleset

FORMAT = 1
"""Of the state itself; counted up when older states can't be read any more."""


def rules_digest(ruleset: Ruleset, variables: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the conditions, their variables, and all that decides on firing.

    Names, hosts and actions of the same rules may change: the state stays good."""
    rules = [rule for rule in ruleset.rules if rule.enabled]
    names = sorted(
        {path.keys[0] for path in _paths(rules) if path.root == "vars" and path.keys}, key=str
    )
    parts = (
        FORMAT,
        [(rule.name, rule.condition, rule.throttle) for rule in rules],
        [(name, variables.get(str(name))) for name in names],
        (ruleset.default_events_ttl, ruleset.match_multiple_rules),
    )
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _paths(part: Any) -> Iterator[Path]:
    if isinstance(part, Path):
        yield part
    elif is_dataclass(part):
        for field in fields(part):
            yield from _paths(getattr(part, field.name))
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _paths(each)
