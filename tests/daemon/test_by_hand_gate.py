"""What runs by hand must pass, each in a process of its own."""

from __future__ import annotations

import time
from pathlib import Path

from selfheal.config import Approval, Rails
from selfheal.daemon.by_hand_gate import ByHandGate
from selfheal.daemon.reach import Reach
from selfheal.model import Healing, HealingState, Refusal, Risk, Solution, Stage, Strategy
from selfheal.recovery import LiveVariables
from selfheal.recovery.executors import MemoryRunner
from selfheal.store import SqliteRecord, open_record


def by_hand(name: str) -> Healing:
    solution = Solution("repair", "*", Strategy.QUICK_FIX, Risk.LOW, ())
    ladder = (solution,)
    return Healing(
        f"he-{name}", "", "", name, HealingState.QUEUED, ladder, {}, time.time(), origin="operator"
    )


async def test_two_processes_cannot_both_take_the_last_place(tmp_path: Path) -> None:
    """Who was let through counts before it has begun; what has to wait again counts no longer."""
    rails = Rails.model_validate({"limits": [{"per": "global", "max": 1, "at_once": True}]})
    records: list[SqliteRecord] = [open_record(tmp_path / "a.db") for _ in range(2)]
    healings = [by_hand("web1"), by_hand("web2")]
    gates = []
    for record, healing in zip(records, healings, strict=True):
        record.add_healing(healing)
        reach = Reach(MemoryRunner(known_hosts=["web1", "web2"]), LiveVariables())
        gates.append(ByHandGate(record, rails, Approval(), reach, lambda lock: False, wait=True))
    assert await gates[0].check(healings[0], 0, Stage.START) is None
    refused = await gates[1].check(healings[1], 0, Stage.START)
    assert refused
    assert refused.reason is Refusal.LIMIT
    assert await gates[0].check(healings[0], 0, Stage.START) is None, "its own place is free to it"
    records[0].withdraw_admission(healings[0].id)
    assert await gates[1].check(healings[1], 0, Stage.START) is None
    for record in records:
        record.close()
