"""print_event: print what matched."""

from __future__ import annotations

from selfheal.actions.arguments import Args, flag
from selfheal.actions.context import ActionContext, ActionResult
from selfheal.actions.display import banner, pretty
from selfheal.actions.key_path import narrow


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Print the event, or all of them by alias; `pretty` over several lines."""
    matches = narrow(context.matches, args.get("var_root"))
    (event,) = matches.values()
    content = pretty(event) if flag(args, "pretty") else str(event)
    banner(context.services.out, context.services.clock, "event", content)
    return ActionResult()
