"""The story, the journal, and messages between processes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from selfheal.model import (
    Entry,
    Event,
    JournalCounts,
    Kind,
    Mark,
    MatcherState,
)
from selfheal.ports.json import JSON


class Timeline(Protocol):
    """The append-only story."""

    def tell(
        self,
        kind: Kind,
        text: str,
        *,
        incident_id: str = "",
        healing_id: str = "",
        data: JSON | None = None,
    ) -> Entry:
        """Append one entry. Alone it is written as by a transaction that is not `durable`."""
        ...

    def entries(
        self, *, after: int = 0, limit: int = 1000, incident_id: str = "", healing_id: str = ""
    ) -> list[Entry]:
        """Entries with `seq` > after, oldest first."""
        ...

    def last_entry(self, kind: Kind, *, with_data: str = "") -> Entry | None:
        """The newest entry of that kind, with that key in its data."""
        ...


class Inbox(Protocol):
    """Messages from other processes (CLI) to the engine, on the one SQLite file."""

    def post(self, kind: str, payload: JSON, at: float) -> int:
        """Leave a message (`emit`, `stop`, `reload`); on disk when it returns."""
        ...

    def take(self, *, only: str = "", but: str = "") -> list[tuple[int, str, JSON]]:
        """The messages not done yet, oldest first: (id, kind, payload); of one kind only, or of
        all but one."""
        ...

    def done(self, message_id: int, note: str = "") -> None: ...


class Journal(Protocol):
    """What each ruleset is shown, and how far its matching has come."""

    def add(self, events: Sequence[Event]) -> None:
        """Write all in one transaction; on disk when it returns.

        One whose origin is in the journal already is left out: it has been taken in."""
        ...

    def event(self, event_id: str) -> Event:
        """Raises NotFoundError."""
        ...

    def has_origin(self, origin: str) -> bool:
        """Tell whether something of that origin was taken in; an empty origin never was."""
        ...

    def mark(self, marks: Iterable[Mark]) -> None:
        """Note that these were matched; one transaction, which costs no sync of its own."""
        ...

    def count_tries(self, event_ids: Sequence[str]) -> None:
        """Note that a starting engine begins to match them."""
        ...

    def unmatched(self, ruleset: str) -> list[Event]:
        """What was accepted and is not matched, in order of acceptance."""
        ...

    def matched_after(self, ruleset: str, turn: int, limit: int) -> list[Event]:
        """What was matched in the `limit` turns after that one, in order of turn; `moment` is
        the one at which it was matched."""
        ...

    def give_up_unmatched(self, rulesets: Collection[str], note: str) -> int:
        """Mark what waits for any ruleset but these, with that note; return how many."""
        ...

    def bodies(self, event_ids: Iterable[str]) -> Mapping[str, JSON]:
        """Id to body of those that are there."""
        ...

    def last_moment(self, ruleset: str) -> tuple[int, float] | None:
        """The ruleset's newest moment on record and the Unix time it belongs to."""
        ...

    def last_turn(self, ruleset: str) -> int:
        """The newest turn on record, 0 before the first."""
        ...

    def save_matcher(self, state: MatcherState) -> None:
        """Keep the state in place of the ruleset's earlier one."""
        ...

    def matcher_state(self, ruleset: str) -> MatcherState | None:
        """The state kept last."""
        ...

    def journal_counts(self) -> JournalCounts:
        """What became of everything that was accepted."""
        ...
