"""shutdown: end the engine."""

from __future__ import annotations

from selfheal.actions.arguments import Args, seconds, text
from selfheal.actions.context import ActionContext, ActionResult, ShutdownKind
from selfheal.actions.display import banner
from selfheal.errors import ActionError


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Ask the engine to end; the firing's later actions are not run."""
    kind = _kind(text(args, "kind", "graceful"))
    delay = seconds(args, "delay", 60.0)
    message = text(args, "message", "Default shutdown message")
    firing, services = context.firing, context.services
    banner(
        services.out,
        services.clock,
        "ruleset",
        f"{firing.ruleset} rule: {firing.rule} has initiated shutdown of type: {kind.value}. "
        f"Delay: {delay:.3f} seconds, Message: {message}",
    )
    await services.shutdown(kind, delay, message)
    data = {"delay": delay, "message": message, "kind": kind.value}
    return ActionResult(data=data, last=True)


def _kind(name: str) -> ShutdownKind:
    try:
        return ShutdownKind(name)
    except ValueError:
        raise ActionError(f"argument kind must be graceful or now, not {name!r}") from None
