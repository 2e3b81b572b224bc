"""The gate that lets everything through: for runs by hand, and for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from selfheal.model import Healing, Refusal, Refused, Stage, Verdict


class OpenGate:
    """Implements `ports.Gate`: allows all, asks nobody."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()

    async def check(self, healing: Healing, rung: int, stage: Stage) -> Refused | None:
        """Allow."""
        return None

    async def consent(self, healing: Healing, rung: int) -> Refused | None:
        """Allow."""
        return None


class HookGate(OpenGate):
    """Asks one function for consent; what it refuses is refused for good.

    Stands in until `daemon/gate.py` puts decision, rails and approvals together."""

    def __init__(self, ask: Callable[[Healing, int], Awaitable[Refusal | None]]) -> None:
        super().__init__()
        self._ask = ask

    async def consent(self, healing: Healing, rung: int) -> Refused | None:
        """Ask the function."""
        refusal = await self._ask(healing, rung)
        return Refused(refusal, "", Verdict.STOP) if refusal else None
