"""Rules over several messages (`all` of two or more)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from selfheal.rules.join import Combination, JoinEngine, Link, Shape, Token
from selfheal.rules.join_python import PythonJoin
from selfheal.rules.memory import Message
from selfheal.rules.operands import Body
from selfheal.rules.order import Place, in_firing_order
from selfheal.rules.pattern import Pattern
from selfheal.rules.step import JSON, Keep, Messages, Step

MAX_TRIED = 100_000
"""Combinations one message may be tried in; what lies beyond is given up, and counted."""
MAX_FIRINGS = 10_000
"""Firings of one rule that one message may cause; what lies beyond is given up, and counted."""

_token_ids = itertools.count(1)


class JoinedRule:
    """Keeps what its slots have seen and fires each combination that a message completes."""

    def __init__(
        self,
        number: int,
        name: str,
        patterns: Sequence[Pattern],
        timeout: int | None,
        *,
        eager: bool,
    ) -> None:
        self.name = name
        self.given_up = 0
        """How often the limits cut combinations off."""
        self._number = number
        self._patterns = patterns
        self._timeout = timeout
        self._eager = eager
        self._slot_of = {pattern.alias: slot for slot, pattern in enumerate(patterns)}
        self._links = [
            [
                Link(f"r{number}s{slot}t{tie}", self._slot_of[each.alias], slot)
                for tie, each in enumerate(pattern.ties)
            ]
            for slot, pattern in enumerate(patterns)
        ]
        self._engine: JoinEngine = PythonJoin([self.shape])
        self._messages: dict[int, Message] = {}  # by token
        self._tokens: dict[int, list[int]] = {}  # by message
        self._slots: list[dict[int, Message]] = [{} for _ in patterns]
        self._staged: list[list[int]] = [[] for _ in patterns]
        self._places: dict[int, Place] = {}
        self._step = 0

    @property
    def shape(self) -> Shape:
        """What the join engine must know."""
        return Shape(self._number, len(self._patterns), tuple(itertools.chain(*self._links)))

    def attach(self, engine: JoinEngine) -> None:
        """Let that engine join for it, instead of one of its own."""
        self._engine = engine

    def visit(self, step: Step, message: Message | None, slots: list[int]) -> None:
        """See `Watcher`."""
        if message is None:
            return
        tokens = [token for slot in slots if (token := self._token(message, slot))]
        if not tokens:
            return
        message.held_by(self)
        self._place(tokens)
        true = list(self._true_of(self._engine.add(tokens)))
        for combination in in_firing_order(true, self._places):
            messages = [self._messages[token] for token in combination]
            # Nothing is paired with itself, but what could only be so is used up, as originally.
            if len({each.id for each in messages}) < len(messages):
                step.use(messages)
            else:
                aliases = (pattern.alias for pattern in self._patterns)
                step.fire(self.name, dict(zip(aliases, messages, strict=True)))

    def forget(self, message: Message) -> None:
        gone = self._tokens.pop(message.id, [])
        for token in gone:
            del self._messages[token]
            self._places.pop(token, None)
            for slot, staged in zip(self._slots, self._staged, strict=True):
                slot.pop(token, None)
                if token in staged:
                    staged.remove(token)
        self._engine.remove(gone)

    def state(self, keep: Keep) -> JSON:
        """See `Watcher`. Tokens are numbered anew in their order, so are those staged."""
        order = {token: position for position, token in enumerate(sorted(self._messages))}
        slots = {token: slot for slot, kept in enumerate(self._slots) for token in kept}
        return {
            "tokens": [[slots[token], keep(self._messages[token])] for token in order],
            "places": [
                [order[token], place.step, place.rank] for token, place in self._places.items()
            ],
            "staged": [[order[token] for token in staged] for staged in self._staged],
            "step": self._step,
            "given_up": self.given_up,
        }

    def restore(self, state: JSON, messages: Messages) -> None:
        """See `Watcher`; after `attach`."""
        tokens = [self._again(messages[number], slot) for slot, number in state["tokens"]]
        self._engine.keep(tokens)
        for position, step, rank in state["places"]:
            self._places[tokens[position].id] = Place(step, rank)
        self._staged = [[tokens[position].id for position in each] for each in state["staged"]]
        self._step, self.given_up = state["step"], state["given_up"]

    def _again(self, message: Message, slot: int) -> Token:
        token = self._token(message, slot)
        if token is None:
            raise ValueError(f"rule {self.name}: message {message.id} no longer fits its slot")
        message.held_by(self)
        return token

    def _token(self, message: Message, slot: int) -> Token | None:
        keys = {}
        for link, tie in zip(self._links[slot], self._patterns[slot].ties, strict=True):
            keys[link.name] = tie.own(message.body)
        for later, links in enumerate(self._links):
            for link, tie in zip(links, self._patterns[later].ties, strict=True):
                if link.earlier == slot:
                    keys[link.name] = tie.other(message.body)
        if None in keys.values():
            return None  # a field that is missing here ties to nothing
        token = Token(next(_token_ids), self._number, slot, {n: k for n, k in keys.items() if k})
        self._messages[token.id] = message
        self._tokens.setdefault(message.id, []).append(token.id)
        self._slots[slot][token.id] = message
        return token

    def _true_of(self, combinations: Iterable[Combination]) -> Iterator[Combination]:
        found = 0
        for tried, combination in enumerate(combinations):
            if tried >= MAX_TRIED or found >= MAX_FIRINGS:
                self.given_up += 1
                return
            if self._holds(combination):
                found += 1
                yield combination

    def _holds(self, combination: Combination) -> bool:
        bindings: dict[str, Body] = {}
        for token, pattern in zip(combination, self._patterns, strict=True):
            body = self._messages[token].body
            if pattern.together is not None and not pattern.together(body, bindings):
                return False
            bindings[pattern.alias] = body
        return self._timeout is None or self._is_in_time(combination, self._timeout)

    def _is_in_time(self, combination: Sequence[int], timeout: int) -> bool:
        messages = [self._messages[token] for token in combination]
        times = [message.at for message in messages if message.is_event]
        return not times or max(times) - min(times) <= timeout

    def _place(self, tokens: Sequence[Token]) -> None:
        """Note when each token becomes active: the order of firing follows from it (`order`)."""
        self._step += 1
        for token in tokens:
            self._staged[token.slot].append(token.id)
        linked = all(self._slots) or any(token.slot == 0 for token in tokens)
        if not (linked or self._eager):
            return
        for staged in self._staged:
            for rank, token_id in enumerate(reversed(staged)):
                self._places[token_id] = Place(self._step, rank)
            staged.clear()
