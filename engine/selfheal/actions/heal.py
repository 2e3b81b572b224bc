"""heal: report a fault; the engine opens or joins it and sees to it."""

from __future__ import annotations

from selfheal.actions.arguments import Args
from selfheal.actions.context import ActionContext, ActionResult
from selfheal.actions.fault_of import fault_of


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Hand the fault over; the action ends when it is accepted, not when it is healed."""
    fault = fault_of(args, context)
    await context.services.heal(fault)
    return ActionResult(
        data={
            "fingerprint": fault.fingerprint,
            "fault": fault.type,
            "component": fault.component,
            "target": fault.target,
        }
    )
