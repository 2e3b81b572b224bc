"""What rules fired, until their actions have ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selfheal.model import Firing, FiringState, Matched, Unfinished, annotated
from selfheal.ports import JSON
from selfheal.store.codec import from_row, from_text, to_row, to_text
from selfheal.store.events import bodies_of
from selfheal.store.repository import Repository

_SOURCES = Mapping[str, Matched]


class Firings(Repository):
    """Implements `ports.FiringRecord`."""

    def add_firing(self, firing: Firing, actions: Sequence[str]) -> None:
        row = to_row(firing, without=frozenset({"matches"}))
        self._db.insert("firings", row | {"actions": to_text(list(actions))})

    def begin_action(self, firing_id: str, index: int, begun: str) -> None:
        self._update("firings", firing_id, {"next_action": index, "begun": begun})

    def advance_firing(self, firing_id: str, next_action: int, note: str) -> None:
        progress = {"next_action": next_action, "begun": "", "note": note}
        self._update("firings", firing_id, progress)

    def end_firing(self, firing_id: str, state: FiringState, note: str) -> None:
        end = {"state": state.value, "note": note, "ended_at": self._clock.now()}
        self._update("firings", firing_id, end)

    def unfinished_firings(self) -> list[Unfinished]:
        rows = self._db.rows("SELECT * FROM firings WHERE state = 'pending' ORDER BY seq")
        sources = [from_text(_SOURCES, row["sources"]) for row in rows]
        ids = (each.event_id for source in sources for each in source.values())
        bodies = bodies_of(self._db, ids)
        return [
            from_row(Unfinished, row, firing=_firing(row, source, bodies))
            for row, source in zip(rows, sources, strict=True)
        ]


def _firing(row: Mapping[str, Any], sources: _SOURCES, bodies: Mapping[str, JSON]) -> Firing:
    matches = {alias: _shown(source, bodies) for alias, source in sources.items()}
    return from_row(Firing, row, matches=matches, sources=sources)


def _shown(source: Matched, bodies: Mapping[str, JSON]) -> JSON:
    body = bodies.get(source.event_id, {})
    return body if source.note is None else annotated(body, source.note)
