"""Gates that answer as a test says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from selfheal.model import Healing, Refusal, Refused, Stage, Verdict
from selfheal.recovery import OpenGate

Check = Callable[[Healing, int, Stage], Refused | None]


class HookGate(OpenGate):
    """Asks one function for consent; what it refuses is refused for good."""

    def __init__(self, ask: Callable[[Healing, int], Awaitable[Refusal | None]]) -> None:
        super().__init__()
        self._ask = ask

    async def consent(self, healing: Healing, rung: int) -> Refused | None:
        refusal = await self._ask(healing, rung)
        return Refused(refusal, "", Verdict.STOP) if refusal else None


class RuleGate(OpenGate):
    """Answers by a function, and notes what it was asked."""

    def __init__(self, rule: Check = lambda healing, rung, stage: None) -> None:
        super().__init__()
        self.rule = rule
        self.asked: list[tuple[str, int, Stage]] = []

    async def check(self, healing: Healing, rung: int, stage: Stage) -> Refused | None:
        self.asked.append((healing.id, rung, stage))
        return self.rule(healing, rung, stage)

    def now(self, rule: Check) -> None:
        """Answer by another function from now on, and say so."""
        self.rule = rule
        self.changed.set()


def wait(
    until: float | None = None, *, reason: Refusal = Refusal.PAUSED, everybody: bool = False
) -> Refused:
    """Return a `not now`."""
    return Refused(reason, "not now", Verdict.WAIT, until, everybody)
