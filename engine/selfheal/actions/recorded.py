"""Work that needs the record, tried again while the record takes no writes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from selfheal.actions.context import ActionContext
from selfheal.errors import StoreError
from selfheal.model import Kind

log = logging.getLogger(__name__)

FIRST_SECONDS, LONGEST_SECONDS = 0.2, 10.0
"""Between two tries; each wait is twice the one before."""
MOST_IN_VAIN = 10

T = TypeVar("T")


async def until_recorded(context: ActionContext, work: Callable[[], Awaitable[T]]) -> T:
    """Return what `work` returns; it is tried again each time it raises StoreError, so it must be
    something that may be begun anew.

    Raises StoreError when the record does take writes, and yet not this, again and again."""
    wait, in_vain = FIRST_SECONDS, 0
    while True:
        try:
            return await work()
        except StoreError as error:
            log.error("rule %s waits for the record: %s", context.firing.rule, error)
            if in_vain == MOST_IN_VAIN:
                raise
        await context.services.clock.sleep(wait)
        wait = min(wait * 2, LONGEST_SECONDS)
        in_vain = in_vain + 1 if _takes_writes(context) else 0


def _takes_writes(context: ActionContext) -> bool:
    firing = context.firing
    text = f"rule “{firing.rule}” of “{firing.ruleset}” waited for the record, and is tried again"
    data = {"firing": firing.id, "ruleset": firing.ruleset, "rule": firing.rule}
    try:
        context.services.timeline.tell(Kind.ACTION, text, data=data)
    except StoreError:
        return False
    return True
