"""The interfaces between the stages, in the order the data flows.

Each port has an in-memory twin for tests and users: `Record` is `store.open_record(":memory:")`,
`PlaybookRunner` is `recovery.executors.memory.MemoryRunner`, `Notifier` is
`notification.memory.MemoryNotifier`, `Clock` (in `clock.py`) is `ManualClock`.
"""

from __future__ import annotations

from selfheal.ports.approvals import ApprovalRecord
from selfheal.ports.execution import Gate, PlaybookRunner, Runtime
from selfheal.ports.faults import FaultRecord, Heal, Resolve
from selfheal.ports.firings import FiringRecord
from selfheal.ports.guards import GuardRecord, RailRecord
from selfheal.ports.healings import HealingRecord, KnowledgeRecord
from selfheal.ports.json import JSON
from selfheal.ports.locks import Lease, LockRecord
from selfheal.ports.matching import EventQueue, Matcher
from selfheal.ports.outbox import OutboxRecord
from selfheal.ports.people import Notifier
from selfheal.ports.record import Record
from selfheal.ports.story import Inbox, Journal, Timeline

__all__ = [
    "JSON",
    "ApprovalRecord",
    "EventQueue",
    "FaultRecord",
    "FiringRecord",
    "Gate",
    "GuardRecord",
    "Heal",
    "HealingRecord",
    "Inbox",
    "Journal",
    "KnowledgeRecord",
    "Lease",
    "LockRecord",
    "Matcher",
    "Notifier",
    "OutboxRecord",
    "PlaybookRunner",
    "RailRecord",
    "Record",
    "Resolve",
    "Runtime",
    "Timeline",
]
