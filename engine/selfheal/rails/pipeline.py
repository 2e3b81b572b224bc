"""The rails in the order in which they are asked, and what each binds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from selfheal.config import Rails
from selfheal.model import Refusal, Refused, Stage, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.autonomy import autonomy
from selfheal.rails.breaker import breaker
from selfheal.rails.cooldown import cooldown
from selfheal.rails.flapping import flapping
from selfheal.rails.limits import limits
from selfheal.rails.maintenance import maintenance
from selfheal.rails.pause import pause
from selfheal.rails.ramp_up import ramp_up
from selfheal.rails.request import RailRequest
from selfheal.rails.settle import settle
from selfheal.rails.silences import silences
from selfheal.rails.storm import storm
from selfheal.rails.targets import targets
from selfheal.rails.unsettled import unsettled

log = logging.getLogger(__name__)

Ask = Callable[[RailRequest, RailRecord, Rails], Refused | None]

START, RUNG, BATCH, RETRY = Stage.START, Stage.RUNG, Stage.BATCH, Stage.RETRY
EVERY = frozenset(Stage)


class Rail(NamedTuple):
    """One rail's place in the pipeline."""

    ask: Ask
    """Answers."""
    stages: frozenset[Stage]
    """Where it is asked."""
    by_hand: bool
    """Whether it binds what an operator begins, too."""


RAILS: tuple[Rail, ...] = (
    # What holds everything, or all that a human has named: nobody is told of what waits there.
    Rail(pause, EVERY, by_hand=True),
    Rail(maintenance, EVERY, by_hand=True),
    Rail(silences, EVERY, by_hand=False),
    Rail(storm, EVERY, by_hand=True),
    # What ends the healing, or this rung of it.
    Rail(autonomy, frozenset({START, RUNG}), by_hand=False),
    Rail(unsettled, frozenset({START, RUNG}), by_hand=False),
    Rail(flapping, frozenset({START}), by_hand=False),
    Rail(targets, frozenset({START, RUNG}), by_hand=True),
    Rail(breaker, frozenset({START, RUNG}), by_hand=False),
    Rail(limits, frozenset({START, RUNG, BATCH}), by_hand=True),
    # What only takes time.
    Rail(cooldown, frozenset({START, RUNG}), by_hand=False),
    Rail(settle, frozenset({START, RUNG}), by_hand=False),
    Rail(ramp_up, frozenset({START, RUNG, BATCH}), by_hand=False),
)
"""Rolling back is not among the stages: it asks nobody."""


def check(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Return the first refusal; None allows. Changes nothing, and never raises.

    What an operator begins with a reason to override is allowed."""
    if request.by_hand and request.override:
        return None
    for rail in RAILS:
        if request.stage in rail.stages and (rail.by_hand or not request.by_hand):
            refused = _ask(rail.ask, request, record, config)
            if refused is not None:
                return refused
    return None


def _ask(ask: Ask, request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    try:
        return ask(request, record, config)
    except Exception as error:
        # In doubt nothing is done: what can't be checked is refused, and a human is told why.
        log.exception("the rail %s failed", ask.__name__)
        detail = f"the rail {ask.__name__} failed: {error}"
        return Refused(Refusal.RAIL_FAILED, detail, Verdict.STOP)
