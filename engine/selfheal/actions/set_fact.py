"""set_fact: keep a fact in this ruleset or another, until it is retracted."""

from __future__ import annotations

from selfheal.actions.arguments import Args, mapping, text
from selfheal.actions.context import ActionContext, ActionResult
from selfheal.actions.internal_event import internal_event


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Keep `fact` in `ruleset`."""
    fact = internal_event(mapping(args, "fact", required=True), "set_fact", context)
    ruleset = text(args, "ruleset", context.firing.ruleset)
    await context.services.assert_fact(ruleset, fact, context.origin())
    return ActionResult()
