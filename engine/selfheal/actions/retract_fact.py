"""retract_fact: forget facts of this ruleset or another."""

from __future__ import annotations

from selfheal.actions.arguments import Args, flag, mapping, text
from selfheal.actions.context import ActionContext, ActionResult
from selfheal.actions.internal_event import as_json


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Forget the facts that contain `fact`; with `partial: false` only those equal to it."""
    fact = as_json(mapping(args, "fact", required=True))
    ruleset = text(args, "ruleset", context.firing.ruleset)
    partial = flag(args, "partial", True)
    await context.services.retract_fact(ruleset, fact, partial, context.origin())
    return ActionResult()
