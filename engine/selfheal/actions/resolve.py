"""resolve: the world says that a fault is over."""

from __future__ import annotations

from selfheal.actions.arguments import Args
from selfheal.actions.context import ActionContext, ActionResult
from selfheal.actions.fault_of import name, target_of


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Resolve the faults of `component` on `target`; an empty target means all of them."""
    component, target = name(args, "component"), target_of(args, context)
    await context.services.resolve(component, target)
    return ActionResult(data={"component": component, "target": target})
