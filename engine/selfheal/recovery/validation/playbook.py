"""`playbook`: a playbook that checks runs without a failure."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from selfheal.model import StepState
from selfheal.recovery.validation import steering
from selfheal.recovery.validation.kind import Args, Kind, ProbeContext, Seen


class PlaybookArgs(Args):
    """Arguments of `playbook`."""

    name: str = Field(description="File in `playbooks/`.")
    vars: dict[str, Any] = Field(default_factory=dict, description="Extra variables.")
    limit: str = Field("", description="Host pattern; empty: the solution's hosts.")


async def probe(args: PlaybookArgs, context: ProbeContext) -> Seen:
    """Run it once."""
    result = await context.run_playbook(args.name, args.vars, args.limit)
    ok = result.state is StepState.SUCCESSFUL
    return Seen(ok, result.state.value if ok else f"{result.state.value}: {result.message}")


PLAYBOOK = Kind(PlaybookArgs, lambda args: f"playbook {args.name}", probe, refuse=steering.playbook)
