"""The gate that lets everything through: for runs by hand, and for tests."""

from __future__ import annotations

import asyncio

from selfheal.model import Healing, Refused, Stage


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
