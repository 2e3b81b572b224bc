"""The index: which rules a message concerns, found by the values it holds.

Most conditions hold a `path == literal` or `path in [literals]` without which they can't be true.
Each pattern hangs in a hash table on the rarest of those; only the patterns that have none are
tried on every message. So the cost of a message hardly grows with the number of rules.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from selfheal.model.condition import Compare, Expression, Literal, Membership, Path
from selfheal.rules.operands import Body, Getter, getter
from selfheal.rules.pattern import Pattern
from selfheal.rules.predicate import conjuncts
from selfheal.rules.values import is_number

Keys = tuple[str | int, ...]
Required = tuple[Keys, tuple[Hashable, ...]]
Entry = tuple[int, int, Pattern]
"""Number of the rule, number of the slot, the pattern."""


class PatternIndex:
    """Finds the patterns that a message satisfies."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        entries = list(entries)
        options = [_required(pattern.expression) for _, _, pattern in entries]
        crowd = Counter((k, v) for each in options for k, values in each for v in values)
        self._anywhere: list[Entry] = []
        tables: defaultdict[Keys, defaultdict[Hashable, list[Entry]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for entry, required in zip(entries, options, strict=True):
            if not required:
                self._anywhere.append(entry)
                continue
            keys, values = min(required, key=lambda each: _crowding(each, crowd))
            for value in values:
                tables[keys][value].append(entry)
        self._tables: list[tuple[Getter, Mapping[Hashable, list[Entry]]]] = [
            (getter(keys), dict(table)) for keys, table in tables.items()
        ]

    def find(self, body: Body) -> list[tuple[int, list[int]]]:
        """Return the rules, in order, with the slots whose own tests the message passes."""
        candidates = list(self._anywhere)
        for get, table in self._tables:
            key = _hashable(get(body))
            if key is not None and key in table:
                candidates += table[key]
        hits: dict[int, list[int]] = {}
        for rule, slot, pattern in candidates:
            if pattern.alone(body, _NO_BINDINGS):
                hits.setdefault(rule, []).append(slot)
        if len(hits) < 2 and len(candidates) < 2:
            return list(hits.items())
        return sorted((rule, sorted(slots)) for rule, slots in hits.items())


_NO_BINDINGS: Mapping[str, Body] = {}


def _required(expression: Expression) -> list[Required]:
    found: list[Required] = []
    for part in conjuncts(expression):
        match part:
            case Compare("==", Path() as path, Literal(value)):
                _note(found, path, (value,))
            case Compare("==", Literal(value), Path() as path):
                _note(found, path, (value,))
            case Membership("in", Path() as path, Literal(tuple() as values), False):
                _note(found, path, values)
    return found


def _note(found: list[Required], path: Path, values: tuple[Any, ...]) -> None:
    keys = [_hashable(value) for value in values]
    if path.root != "vars" and path.keys and None not in keys:
        found.append((path.keys, tuple(dict.fromkeys(key for key in keys if key is not None))))


def _crowding(required: Required, crowd: Mapping[tuple[Keys, Hashable], int]) -> int:
    keys, values = required
    return sum(crowd[keys, value] for value in values)


def _hashable(value: Any) -> Hashable | None:
    """Return a key equal for equal scalars only; None for what is no scalar."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return (value,)
    return (1, value) if is_number(value) else None
