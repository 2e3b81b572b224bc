"""`event`: the world itself says that the fault is over (a `resolve` action fired)."""

from __future__ import annotations

from selfheal.recovery.validation.kind import Args, Kind, ProbeContext, Seen


class EventArgs(Args):
    """`event` has no arguments."""


async def probe(args: EventArgs, context: ProbeContext) -> Seen:
    """Look into the record once."""
    if context.fault_resolved():
        return Seen(True, "the fault is resolved")
    return Seen(False, "no event has resolved the fault yet")


EVENT = Kind(EventArgs, lambda args: "event", probe)
