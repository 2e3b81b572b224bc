"""What rules fired, until their actions have ended."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from selfheal.model import Firing, FiringState, Unfinished


class FiringRecord(Protocol):
    """What rules fired, until their actions have ended."""

    def add_firing(self, firing: Firing, actions: Sequence[str]) -> None:
        """A rule fired; `actions` are the names of its actions. To be acted on from now on."""
        ...

    def begin_action(self, firing_id: str, index: int, begun: str) -> None:
        """The action is about to have its effect; `begun` is the ident of its run, or any text."""
        ...

    def advance_firing(self, firing_id: str, next_action: int, note: str) -> None:
        """The action before `next_action` has ended. `note`: which actions so far are unknown."""
        ...

    def end_firing(self, firing_id: str, state: FiringState, note: str) -> None:
        """Nothing more is to be done for it."""
        ...

    def unfinished_firings(self) -> list[Unfinished]:
        """Every pending firing, oldest first, with its matches as they were."""
        ...

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """See `Record.transaction`."""
        ...
