"""post_event: give this ruleset or another an event."""

from __future__ import annotations

from selfheal.actions.arguments import Args, mapping, text
from selfheal.actions.context import ActionContext, ActionResult
from selfheal.actions.internal_event import internal_event


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Post `event` to `ruleset`."""
    event = internal_event(mapping(args, "event", required=True), "post_event", context)
    ruleset = text(args, "ruleset", context.firing.ruleset)
    await context.services.post_event(ruleset, event, context.origin())
    return ActionResult()
