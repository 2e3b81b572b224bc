"""The port of the join engines: which messages belong together, found by keys alone.

A token stands for one message in one place (slot) of one rule. The engine sees only its numbers
and keys, both made by us. It may report too much, since every combination is verified by the
predicates afterwards; it must not report too little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Combination = tuple[int, ...]
"""Ids of the tokens, one for each slot of the rule, in the order of the slots."""


@dataclass(frozen=True, slots=True)
class Link:
    """An equality between two slots: their tokens must have the same key under `name`."""

    name: str
    """ASCII; unique among all links of an engine."""
    earlier: int
    """The slot that is referred to."""
    later: int
    """The slot whose condition refers to it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the engine knows of one rule."""

    rule: int
    """Number of the rule."""
    slots: int
    """How many messages make a combination; two or more."""
    links: tuple[Link, ...] = ()
    """The equalities between them."""


@dataclass(frozen=True, slots=True)
class Token:
    """One message in one slot."""

    id: int
    """Unique for the life of the engine."""
    rule: int
    """Number of the rule."""
    slot: int
    """Which slot of it."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Name of each link that ends in this slot to the key, ASCII."""


class JoinEngine(Protocol):
    """Keeps tokens and reports the combinations they complete. Not thread-safe."""

    def add(self, tokens: Sequence[Token]) -> Iterable[Combination]:
        """Keep the tokens; return each combination that holds one of them, once, in any order.

        The result must be used up before the engine is called again."""
        ...

    def keep(self, tokens: Iterable[Token]) -> None:
        """Keep tokens without asking what they complete: it was reported by an earlier engine."""
        ...

    def remove(self, ids: Iterable[int]) -> None:
        """Forget tokens; unknown ids are ignored."""
        ...

    def describe(self) -> str:
        """One line for people: which engine this is and how it fares."""
        ...

    def close(self) -> None:
        """Let go of processes and memory; the engine is not used afterwards."""
        ...


def fits(shape: Shape, tokens: Sequence[Token]) -> bool:
    """Tell whether the tokens are a true combination of the shape: slots in order, keys equal."""
    if [token.slot for token in tokens] != list(range(shape.slots)):
        return False
    if any(token.rule != shape.rule for token in tokens):
        return False
    return all(
        tokens[link.earlier].keys[link.name] == tokens[link.later].keys[link.name]
        for link in shape.links
    )
