"""none: nothing, on record."""

from __future__ import annotations

from selfheal.actions.arguments import Args
from selfheal.actions.context import ActionContext, ActionResult


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Do nothing."""
    return ActionResult()
