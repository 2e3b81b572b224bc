"""resolve: the world says that a fault is over."""

from __future__ import annotations

from selfheal.actions.arguments import Args
from selfheal.actions.context import ActionContext, ActionResult
from selfheal.actions.fault_of import name, target_of
from selfheal.errors import ActionError


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Resolve the faults of `component` on `target`, on every target when none is given or found.

    Raises ActionError for a target that is given and empty: a template over an event that lacks
    the name must not close the faults of everything else.
    """
    component, target = name(args, "component"), target_of(args, context)
    if not target and args.get("target") is not None:
        raise ActionError("argument target is empty; leave it out to resolve on every target")
    await context.services.resolve(component, target)
    return ActionResult(data={"component": component, "target": target})
