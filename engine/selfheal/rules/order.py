"""The order in which the combinations of one rule fire: that of the original's network.

Drools joins slot by slot. Messages become active when the first slot gets one or when every slot
has one, in a ruleset with timed rules at once; those that become active together, the newest
first. A slot keeps its messages in that order, and what one step makes new is handed on in
reverse. So the order is a function of two numbers a token and can be worked out afterwards,
whichever engine found the combinations. (Rules that begin with the same two conditions share
nodes in Drools, which may reverse the order there; that is not followed.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cmp_to_key

from selfheal.rules.join import Combination


@dataclass(frozen=True, slots=True)
class Place:
    """When a token became active."""

    step: int
    """The step of its rule, counted up with each message."""
    rank: int
    """Its turn within that step."""


Places = Mapping[int, Place]


def in_firing_order(combinations: Iterable[Combination], places: Places) -> list[Combination]:
    """Return the combinations that one step completed, in the order in which they fire."""

    def compare(left: Combination, right: Combination) -> int:
        return _in_memory(left, right, len(left), places)

    return sorted(combinations, key=cmp_to_key(compare))


def _in_memory(left: Combination, right: Combination, length: int, places: Places) -> int:
    """Compare the first `length` tokens by their order in the memory of the next join."""
    step, other = _step(left, length, places), _step(right, length, places)
    if step != other or length == 1:
        return step - other
    return -_as_made(left, right, length, step, places)


def _as_made(left: Combination, right: Combination, length: int, step: int, places: Places) -> int:
    """Compare two that one step made by the order in which the join made them."""
    older = _step(left, length - 1, places) < step
    other_older = _step(right, length - 1, places) < step
    if older != other_older:
        return -1 if older else 1  # messages new on the right side are joined first
    by_last = _by_place(places[left[length - 1]], places[right[length - 1]])
    by_first = _in_memory(left, right, length - 1, places)
    return (by_last or by_first) if older else (by_first or by_last)


def _step(combination: Combination, length: int, places: Places) -> int:
    return max(places[token].step for token in combination[:length])


def _by_place(left: Place, right: Place) -> int:
    return left.step - right.step or left.rank - right.rank
