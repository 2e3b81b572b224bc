"""The beginning of an attempt on record, and that of one that may not be made."""

from __future__ import annotations

from selfheal.model import Attempt, Healing, Outcome, Refused, new_id
from selfheal.ports import Record
from selfheal.recovery.move import StartRung
from selfheal.recovery.plan import why_refused
from selfheal.recovery.story import Story


def start_rung(
    record: Record, healing: Healing, move: StartRung, hosts: tuple[str, ...], now: float
) -> None:
    """Begin the attempt; `hosts` are those of its batch, none for a solution without canary."""
    name = healing.ladder[move.rung].name
    attempt = Attempt(new_id("at"), healing.id, move.rung, name, now, batch=move.batch, hosts=hosts)
    with record.transaction():
        record.add_attempt(attempt)
        if healing.waiting:
            record.set_waiting(healing.id, None)
        Story(record, healing).rung_begun(attempt, healing.ladder[move.rung])


def skip_rung(
    record: Record, healing: Healing, move: StartRung, refused: Refused, now: float
) -> None:
    """Record an attempt that was refused: nothing of it ran, and the next rung is looked at."""
    reason = why_refused(refused)
    attempt = Attempt(
        new_id("at"),
        healing.id,
        move.rung,
        healing.ladder[move.rung].name,
        now,
        ended_at=now,
        outcome=Outcome.REFUSED,
        batch=move.batch,
        reason=reason,
    )
    with record.transaction():
        record.add_attempt(attempt)
        if healing.waiting:
            record.set_waiting(healing.id, None)
        Story(record, healing).rung_ended(attempt, Outcome.REFUSED, reason)
