"""An approval under way on a record, with the time in the test's hands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from selfheal.approvals import Approvals
from selfheal.clock import ManualClock
from selfheal.config import Approval as Config
from selfheal.model import Answer, Approval, Channel, Healing
from selfheal.ports import JSON, Record
from tests.store.nouns import a_healing


@dataclass
class Bench:
    """One engine's approvals, and the people it tells."""

    record: Record
    clock: ManualClock
    config: Config = field(default_factory=Config)
    told: list[tuple[str, str, JSON]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=lambda: ["the risk is high"])

    def __post_init__(self) -> None:
        self.approvals = Approvals(self.record, self.config, self.clock, self.tell)

    async def tell(self, subject: str, body: str, data: JSON) -> None:
        self.told.append((subject, body, data))

    def healing(self, **changes: Any) -> Healing:
        healing = a_healing(**changes)
        self.record.add_healing(healing)
        return healing

    @asynccontextmanager
    async def asking(
        self, healing: Healing, rung: int = 0
    ) -> AsyncIterator[asyncio.Task[Approval]]:
        """An engine that asks; it is killed at the end of the block if it still waits."""
        task = asyncio.create_task(self.approvals.ask(healing, rung, self.reasons))
        await self.clock.advance(0)
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def pending(self) -> Approval:
        [approval] = self.record.approvals(state="pending")
        return approval

    def says(self, who: str, yes: bool = True, **changes: Any) -> Answer:
        given: dict[str, Any] = {
            "why": "",
            "at": self.clock.now(),
            "channel": Channel.CLI,
        } | changes
        return Answer(who, yes, **given)
