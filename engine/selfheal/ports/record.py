"""Everything on the one SQLite file."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from selfheal.model import (
    Decision,
)
from selfheal.ports.approvals import ApprovalRecord
from selfheal.ports.faults import FaultRecord
from selfheal.ports.firings import FiringRecord
from selfheal.ports.guards import GuardRecord
from selfheal.ports.healings import HealingRecord, KnowledgeRecord
from selfheal.ports.locks import LockRecord
from selfheal.ports.outbox import OutboxRecord
from selfheal.ports.story import Inbox, Journal, Timeline


class Record(
    Journal,
    FiringRecord,
    FaultRecord,
    LockRecord,
    GuardRecord,
    ApprovalRecord,
    HealingRecord,
    KnowledgeRecord,
    Timeline,
    Inbox,
    OutboxRecord,
    Protocol,
):
    """Everything on the one SQLite file."""

    def add_decision(self, decision: Decision) -> None: ...

    def decisions(self, incident_id: str) -> list[Decision]:
        """Oldest first."""
        ...

    def transaction(self, *, durable: bool = True) -> AbstractContextManager[None]:
        """Group writes: all are on disk at the end of the block, none if it raises.

        Not `durable`, the outermost block only promises that they survive this process, and that
        they are on disk before anything that is written durably later. That is enough for what
        can be worked out again from what was on disk before, and costs no sync.

        Await nothing inside: other tasks' writes would join in, other processes wait."""
        ...

    def close(self) -> None: ...
