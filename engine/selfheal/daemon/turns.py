"""Turns: what was matched is put on record, in batches, or at once with what it fired."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from selfheal.daemon.ruleset_clock import RulesetClock
from selfheal.errors import StoreError
from selfheal.model import Event, Firing, InputKind, Kind, Mark, Ruleset, new_id
from selfheal.ports import JSON, Record, Timeline

log = logging.getLogger(__name__)

FLUSH_AFTER = 0.2
"""Seconds that a mark may wait for others."""
AGAIN_AFTER = 1_000_000
"""Microseconds until marks are tried again that the record has refused."""
FLUSH_AT = 500
"""Marks that are written at once."""
MAX_TOLD_BYTES = 16 * 1024
"""Of what fired a rule, in the timeline; as JSON."""


class Turns:
    """Marks of one ruleset, always written in order: a later one never without an earlier one."""

    def __init__(
        self, ruleset: Ruleset, record: Record, timeline: Timeline, clock: RulesetClock
    ) -> None:
        self._actions = {rule.name: [one.name for one in rule.actions] for rule in ruleset.rules}
        self._record = record
        self._timeline = timeline
        self._clock = clock
        self._marks: list[Mark] = []
        self._oldest = 0
        self.last = 0
        """The turn given last."""

    def matched(self, event: Event, moment: int, note: str = "") -> None:
        """Give it the next turn; on record soon."""
        self.last += 1
        if not self._marks:
            self._oldest = self._clock.read()
        self._marks.append(Mark(event.id, self.last, moment, note))
        if len(self._marks) >= FLUSH_AT:
            self._flush_or_later()

    def fired(self, event: Event, moment: int, firings: Sequence[Firing]) -> list[Firing]:
        """Give it the next turn and write that with what it fired, in the caller's transaction."""
        # What is reported was so when the event came, however long it waited to be matched.
        named = [replace(firing, id=new_id("fi"), at=event.received_at) for firing in firings]
        self.matched(event, moment)
        self.flush()
        if event.kind in (InputKind.EVENT, InputKind.POSTED):
            self._tell_event(event)
        for firing in named:
            self._record.add_firing(firing, self._actions[firing.rule])
            self._tell_firing(firing)
        return named

    def flush(self) -> None:
        """Write the marks that wait; what the power takes is matched anew."""
        if self._marks:
            self._record.mark(self._marks)
            self._marks = []

    @property
    def flush_in(self) -> float | None:
        """Seconds until the marks must be written; None when there are none."""
        if not self._marks:
            return None
        return FLUSH_AFTER - (self._clock.read() - self._oldest) / 1e6

    def flush_in_time(self) -> None:
        """Write the marks if the oldest has waited long enough."""
        left = self.flush_in
        if left is not None and left <= 0.001:
            self._flush_or_later()

    def _flush_or_later(self) -> None:
        """A record that can't be written for a while (a full disk) gets the marks afterwards: what
        fired nothing is matched again if the engine ends before."""
        try:
            self.flush()
        except StoreError as error:
            log.error("%s matched inputs can't be marked now: %s", len(self._marks), error)
            self._oldest = self._clock.read() + AGAIN_AFTER

    def _tell_event(self, event: Event) -> None:
        self._timeline.tell(
            Kind.EVENT,
            f"{event.source}: {_short(event.body)}",
            data={"event_id": event.id, "ruleset": event.ruleset},
        )

    def _tell_firing(self, firing: Firing) -> None:
        self._timeline.tell(
            Kind.RULE,
            f"rule “{firing.rule}” of “{firing.ruleset}” fired",
            data={
                "firing": firing.id,
                "ruleset": firing.ruleset,
                "rule": firing.rule,
                "event_ids": list(firing.event_ids),
                "matches": _bounded(firing.matches),
            },
        )


def _bounded(matches: Mapping[str, JSON]) -> dict[str, Any]:
    """What matched, for the record; a message larger than the limit is in the journal only."""
    room, kept = MAX_TOLD_BYTES, dict[str, Any]()
    for alias, body in matches.items():
        room -= len(json.dumps(body))
        kept[alias] = body if room >= 0 else None
    return kept


def _short(body: JSON) -> str:
    text = str({key: value for key, value in body.items() if key != "meta"})
    shown = "".join(char if char.isprintable() else " " for char in text[:160])
    return shown if len(text) <= 160 else f"{shown[:159]}…"
