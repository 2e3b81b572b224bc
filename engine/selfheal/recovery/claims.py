"""Who waits for which locks: nobody younger may take them first."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable

from selfheal.ports.locks import EVERY_HOST, HOST

_HOSTS = "\0hosts"  # where all claims on hosts stand; a lock has a printable name
_ALL = EVERY_HOST[0]


class Claims:
    """The locks that queued healings lack. What overlaps is what the record keeps apart: equal
    names, and `all` or `host:*` with every `host:…`.

    Looking one up does not get slower with the number of claims on other resources."""

    def __init__(self) -> None:
        self._claims: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._lines: dict[str, list[tuple[int, str]]] = {}

    def __contains__(self, healing_id: str) -> bool:
        return healing_id in self._claims

    def put(self, number: int, healing_id: str, names: Collection[str]) -> None:
        """Note that the healing with that place in the queue waits for these locks."""
        self.drop(healing_id)
        self._claims[healing_id] = (number, tuple(_filed(names)))
        for line in self._claims[healing_id][1]:
            insort(self._lines.setdefault(line, []), (number, healing_id))

    def drop(self, healing_id: str) -> None:
        """It waits for them no longer; nothing happens when it did not."""
        number, lines = self._claims.pop(healing_id, (0, ()))
        for name in lines:
            line = self._lines[name]
            del line[bisect_left(line, (number, healing_id))]
            if not line:
                del self._lines[name]

    def ahead_of(self, number: int, names: Collection[str]) -> str:
        """Return the youngest of the older healings that wait for some of these locks, or "".

        Whoever waits for that one waits for all of them: it has not begun before those ahead of
        it that overlap it, and then the question is asked again."""
        nearest = (-1, "")
        for name in _looked_up(names):
            line = self._lines.get(name, [])
            if place := bisect_left(line, (number, "")):
                nearest = max(nearest, line[place - 1])
        return nearest[1]


def _filed(names: Iterable[str]) -> set[str]:
    """Return under what a claim is found."""
    lines = {_ALL if name in EVERY_HOST else name for name in names}
    return lines | {_HOSTS} if any(_is_host(name) for name in lines) else lines


def _looked_up(names: Iterable[str]) -> set[str]:
    """Return under what the claims stand that overlap these locks."""
    lines = {_ALL if name in EVERY_HOST else name for name in names}
    if _ALL in lines:
        return lines | {_HOSTS}
    return lines | {_ALL} if any(_is_host(name) for name in lines) else lines


def _is_host(name: str) -> bool:
    return name == _ALL or name.startswith(HOST)
