"""The end of a healing: on record first, then passed on; also when the engine itself failed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from selfheal.clock import Clock
from selfheal.errors import SelfhealError
from selfheal.model import Healing, HealingState, Outcome, PlaybookResult, StepRun, StepState
from selfheal.ports import Record
from selfheal.recovery.move import Finish
from selfheal.recovery.pausing import Pausing
from selfheal.recovery.story import Story

_log = logging.getLogger(__name__)


class Ending:
    """Ends healings, and remembers those whose end the record could not be told yet."""

    def __init__(
        self,
        record: Record,
        clock: Clock,
        on_done: Callable[[Healing], Awaitable[None]],
        pausing: Pausing,
    ) -> None:
        self._record = record
        self._pausing = pausing
        self._clock = clock
        self._on_done = on_done
        self._broken: dict[str, str] = {}  # healing to why

    def finish(self, healing_id: str, end: Finish) -> Healing:
        """End it in the record, its locks with it. Raises StoreError.

        How its steps ended is on disk: should the power fail, the engine concludes the same from
        that, and whoever has its locks by then has put all of this on disk before acting. What
        was run by hand nobody would conclude."""
        healing, now = self._record.healing(healing_id), self._clock.now()
        with self._record.transaction(durable=healing.origin != "engine"):
            self._record.end_healing(healing.id, end.outcome, end.reason, now)
            took = now - (healing.started_at or now)
            Story(self._record, healing).ended(end.outcome, end.reason, took)
        return self._record.healing(healing.id)

    def give_up(self, healing_id: str, error: Exception) -> Healing | None:
        """End a healing that the engine itself could not carry on; return it for a human."""
        reason = f"the engine failed: {type(error).__name__}: {error}"
        try:
            return self._end_broken(healing_id, reason)
        except Exception:
            _log.exception("healing %s can't be ended in the record; trying again", healing_id)
            self._broken[healing_id] = reason
            return self._last_known(healing_id, reason)

    def try_again(self) -> None:
        """End in the record what could not be ended before."""
        for healing_id, reason in list(self._broken.items()):
            with suppress(SelfhealError):  # it has been logged; the next round tries again
                self._end_broken(healing_id, reason)

    async def pass_on(self, ended: Healing) -> None:
        """Tell the one who waits for it; a failure of theirs is on record.

        They are told anew, once the record can be written again, when that kept them from
        noting the end; should the engine end before, the next start sees to it."""
        try:
            await self._pausing.through(ended.id, partial(self._on_done, ended))
        except Exception as error:
            _log.exception("the end of healing %s could not be passed on", ended.id)
            Story(self._record, ended).not_told(f"{type(error).__name__}: {error}")

    def _end_broken(self, healing_id: str, reason: str) -> Healing:
        """End it in the record as far as it has come. Raises StoreError."""
        healing = self._record.healing(healing_id)
        if healing.state is not HealingState.DONE:
            ran = any(attempt.steps for attempt in healing.attempts)
            outcome = Outcome.UNKNOWN if ran else Outcome.FAILED
            with self._record.transaction():
                for attempt in healing.attempts:
                    for run in attempt.steps:
                        if run.state is StepState.RUNNING:
                            self._record.end_step(self._unknown(run, reason))
                    if attempt.outcome is None:
                        self._record.end_attempt(attempt.id, Outcome.UNKNOWN, self._clock.now())
                healing = self.finish(healing_id, Finish(outcome, reason))
        self._broken.pop(healing_id, None)
        return healing

    def _unknown(self, run: StepRun, reason: str) -> PlaybookResult:
        now = self._clock.now()
        return PlaybookResult(
            run.ident, StepState.UNKNOWN, None, run.started_at, now, message=reason
        )

    def _last_known(self, healing_id: str, reason: str) -> Healing | None:
        try:
            return replace(self._record.healing(healing_id), outcome=Outcome.UNKNOWN, reason=reason)
        except Exception:
            _log.exception("healing %s can't even be read", healing_id)
            return None
