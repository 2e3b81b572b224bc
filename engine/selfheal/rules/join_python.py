"""The join engine in Python: a hash join over the links, depth first, nothing stored between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from selfheal.rules.join import Combination, Link, Shape, Token

Bucket = dict[int, Token]
_Key = TypeVar("_Key")


class PythonJoin:
    """`JoinEngine` with no process and no C code; also what the other engine is checked against."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self._shapes = {shape.rule: shape for shape in shapes}
        self._tokens: dict[int, Token] = {}
        self._slots: defaultdict[tuple[int, int], Bucket] = defaultdict(dict)
        self._keyed: defaultdict[tuple[str, int, str], Bucket] = defaultdict(dict)

    def add(self, tokens: Sequence[Token]) -> Iterator[Combination]:
        for token in tokens:
            # A token joins with those before it and then goes in: nothing is found twice.
            yield from self._search(self._shapes[token.rule], {token.slot: token})
            self._insert(token)

    def keep(self, tokens: Iterable[Token]) -> None:
        for token in tokens:
            self._insert(token)

    def remove(self, ids: Iterable[int]) -> None:
        for token_id in ids:
            token = self._tokens.pop(token_id, None)
            if token is not None:
                self._delete(token)

    def describe(self) -> str:
        return "python"

    def close(self) -> None:
        self._tokens.clear()
        self._slots.clear()
        self._keyed.clear()

    def _insert(self, token: Token) -> None:
        self._tokens[token.id] = token
        self._slots[token.rule, token.slot][token.id] = token
        for name, key in token.keys.items():
            self._keyed[name, token.slot, key][token.id] = token

    def _delete(self, token: Token) -> None:
        _discard(self._slots, (token.rule, token.slot), token.id)
        for name, key in token.keys.items():
            _discard(self._keyed, (name, token.slot, key), token.id)

    def _search(self, shape: Shape, chosen: dict[int, Token]) -> Iterator[Combination]:
        slot = next((slot for slot in range(shape.slots) if slot not in chosen), None)
        if slot is None:
            yield tuple(chosen[slot].id for slot in range(shape.slots))
            return
        links = [link for link in shape.links if _other_end(link, slot) in chosen]
        for token in self._candidates(shape, slot, links, chosen).values():
            if all(_agree(token, chosen[_other_end(link, slot)], link) for link in links):
                yield from self._search(shape, {**chosen, slot: token})

    def _candidates(
        self, shape: Shape, slot: int, links: list[Link], chosen: dict[int, Token]
    ) -> Bucket:
        buckets = [
            self._keyed.get((link.name, slot, chosen[_other_end(link, slot)].keys[link.name]), {})
            for link in links
        ]
        return min(buckets, key=len, default=self._slots.get((shape.rule, slot), {}))


def _other_end(link: Link, slot: int) -> int:
    if slot == link.later:
        return link.earlier
    return link.later if slot == link.earlier else -1


def _agree(token: Token, other: Token, link: Link) -> bool:
    return token.keys[link.name] == other.keys[link.name]


def _discard(buckets: dict[_Key, Bucket], key: _Key, token_id: int) -> None:
    bucket = buckets[key]
    bucket.pop(token_id, None)
    if not bucket:
        del buckets[key]
