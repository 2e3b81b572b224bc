"""The join engine on durable_rules, in a child process that may crash at any time.

The tokens that live are mirrored here and replayed into a new child. A request that kills the
child twice is quarantined: its tokens are joined by the Python engine from then on. Reported
combinations are checked against the mirror. The library can corrupt its memory in silence, so a
child serves only some thousand combinations.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from selfheal.errors import JoinEngineError
from selfheal.rules.durable_process import DurableProcess
from selfheal.rules.join import Combination, Shape, Token, fits
from selfheal.rules.join_python import PythonJoin

log = logging.getLogger(__name__)

RECYCLE_AFTER = 5000
"""Combinations after which the child is replaced."""
GIVE_UP_AFTER = 3
"""Requests in quarantine after which no child is tried any more: each costs seconds."""
# A request stays below the size of a pipe's buffer: a hung child must not hold up the writer.
_REPLAY_AT_ONCE = 200
_REMOVALS_AT_ONCE = 1000


class DurableJoin:
    """`JoinEngine` on durable_rules. Raises `JoinEngineError` when no child can be started."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self._shapes = {shape.rule: shape for shape in shapes}
        self._tokens: dict[int, Token] = {}
        self._removed: list[tuple[int, int]] = []
        self._quarantined: set[int] = set()
        self._mirror: PythonJoin | None = None
        self._served = 0
        self._failed_requests = 0
        self.restarts = 0
        """How often the child had to be replaced because it failed."""
        self._child: DurableProcess | None = DurableProcess(self._shapes.values())

    @property
    def child_pid(self) -> int | None:
        """Process id of the child; None between two of them."""
        return self._child.pid if self._child else None

    def add(self, tokens: Sequence[Token]) -> Iterator[Combination]:
        found = None if self._has_given_up() else self._ask_twice(tokens)
        self._tokens.update((token.id, token) for token in tokens)
        if found is None:
            yield from self._quarantine(tokens).add(tokens)
            return
        yield from found
        if self._mirror is not None:
            yield from (each for each in self._mirror.add(tokens) if self._is_quarantined(each))

    def keep(self, tokens: Iterable[Token]) -> None:
        kept = list(tokens)
        self._tokens.update((token.id, token) for token in kept)
        if self._mirror is not None:
            self._mirror.keep(kept)
        self.close()  # the next child is given all that live

    def remove(self, ids: Iterable[int]) -> None:
        gone = [self._tokens.pop(each) for each in ids if each in self._tokens]
        if self._child is not None:
            # Told to the child with the next tokens: one message a step instead of two.
            self._removed += [(t.rule, t.id) for t in gone if t.id not in self._quarantined]
        self._quarantined.difference_update(token.id for token in gone)
        if self._mirror is not None:
            self._mirror.remove(token.id for token in gone)
            if not self._quarantined and not self._has_given_up():
                self._mirror = None

    def describe(self) -> str:
        parts = ["durable"]
        if self.restarts:
            parts.append(f"child replaced {self.restarts} times after a failure")
        if self._has_given_up():
            parts.append("given up on, everything is joined in Python")
        elif self._quarantined:
            parts.append(f"{len(self._quarantined)} tokens in quarantine, joined in Python")
        return ", ".join(parts)

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
        self._child = None

    def _ask_twice(self, tokens: Sequence[Token]) -> list[Combination] | None:
        for attempt in (1, 2):
            try:
                return self._ask(tokens)
            except JoinEngineError as error:
                log.warning("join engine, attempt %d: %s", attempt, error)
                self.restarts += 1
                self.close()
        return None

    def _ask(self, tokens: Sequence[Token]) -> list[Combination]:
        if self._served >= RECYCLE_AFTER or len(self._removed) > _REMOVALS_AT_ONCE:
            self.close()
        child = self._child or self._start()
        request = {"remove": self._removed, "add": [(t.rule, self._fact(t)) for t in tokens]}
        fired = child.ask(request)["fired"]
        self._removed = []
        self._served += len(fired)
        return self._checked(fired, {token.id: token for token in tokens})

    def _start(self) -> DurableProcess:
        child = self._child = DurableProcess(self._shapes.values())
        self._removed, self._served = [], 0
        live = (t for t in self._tokens.values() if t.id not in self._quarantined)
        while batch := list(islice(live, _REPLAY_AT_ONCE)):
            # What these complete has been reported by an earlier child.
            child.ask({"remove": [], "add": [(token.rule, self._fact(token)) for token in batch]})
        return child

    def _checked(self, fired: list[list[int]], new: dict[int, Token]) -> list[Combination]:
        combinations: dict[Combination, None] = {}
        for rule, *ids in fired:
            found = [new.get(each) or self._tokens.get(each) for each in ids]
            tokens = [token for token in found if token is not None]
            if len(tokens) != len(ids) or not fits(self._shapes[rule], tokens):
                raise JoinEngineError(f"the join engine reported what can't be: {rule} {ids}")
            if not new.keys().isdisjoint(ids):
                combinations[tuple(ids)] = None
        return list(combinations)

    def _quarantine(self, tokens: Sequence[Token]) -> PythonJoin:
        if not self._has_given_up():
            self._failed_requests += 1
            log.error("join engine: %d tokens put in quarantine, joined in Python", len(tokens))
            if self._has_given_up():
                log.error("join engine: durable_rules is given up on, Python joins from now on")
        self._quarantined.update(token.id for token in tokens)
        if self._mirror is None:
            self._mirror = PythonJoin(self._shapes.values())
            self._mirror.keep(token for token in self._tokens.values() if token not in tokens)
        return self._mirror

    def _fact(self, token: Token) -> dict[str, str]:
        """Return what the library sees: few short ASCII texts, `one` for its always-true term."""
        fact = {"id": str(token.id), "one": "1", f"r{token.rule}c{token.slot}": "1"}
        for link in self._shapes[token.rule].links:
            if token.slot in (link.earlier, link.later):
                end = "o" if token.slot == link.later else "k"
                fact[link.name + end] = token.keys[link.name]
        return fact

    def _has_given_up(self) -> bool:
        return self._failed_requests >= GIVE_UP_AFTER

    def _is_quarantined(self, combination: Combination) -> bool:
        return not self._quarantined.isdisjoint(combination)
