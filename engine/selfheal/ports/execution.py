"""Playbooks and healings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from selfheal.model import (
    Healing,
    PlaybookRequest,
    PlaybookResult,
    Refused,
    Stage,
    TaskResult,
)


class PlaybookRunner(Protocol):
    """Runs playbooks (and ad-hoc modules) by Ansible."""

    async def run(
        self, request: PlaybookRequest, on_task: Callable[[TaskResult], None] | None = None
    ) -> PlaybookResult:
        """Run and wait; `on_task` is called in the event loop as each task ends.

        Never raises for a playbook that fails: the result says so. Raises `ExecutionError` when
        it can't be started. Cancelling the awaiting task ends the run and every process of it
        before CancelledError is passed on."""
        ...

    async def cancel(self, ident: str) -> bool:
        """End that run; `run` then returns state CANCELLED. False when it isn't running."""
        ...

    def find_artifact(self, ident: str) -> PlaybookResult | None:
        """Return how a run ended that nobody waits for any more; None when nothing shows it.

        State CANCELLED means that the engine ended it, perhaps as it died itself."""
        ...

    async def end_orphans(self, living: Collection[str]) -> Mapping[str, int]:
        """End every process of every run that is neither under way here nor named in `living`.

        Returns the runs that had some, and how many."""
        ...


class Gate(Protocol):
    """What the runtime asks before it begins anything that is not an undoing."""

    changed: asyncio.Event
    """Set when an answer may have changed (resumed, silence gone, healing ended, approved)."""

    async def check(self, healing: Healing, rung: int, stage: Stage) -> Refused | None:
        """Ask the rails now; None allows. Waits for facts only (the inventory), never for people.

        One healing is asked about at a time, and what is allowed is recorded as begun before the
        next is asked about: two can't both be the last that a limit lets through."""
        ...

    async def consent(self, healing: Healing, rung: int) -> Refused | None:
        """Ask a human where one must say yes, and wait for the answer, for hours if need be.

        The locks are held meanwhile. None: allowed, or nobody need be asked. When it is
        cancelled the question stays on record and is taken up by the next call."""
        ...


class Runtime(Protocol):
    """Durable execution of healings. Nothing above this port knows which engine is behind it."""

    async def submit(self, healing: Healing) -> None:
        """Accept a healing; it is on disk when this returns and runs when its resource is free."""
        ...

    async def stop(self, healing_id: str, why: str) -> None:
        """Ask the healing to stop: the running step is ended, what ran is rolled back."""
        ...

    async def drain(self) -> None:
        """Take no new work and wait for what runs."""
        ...
