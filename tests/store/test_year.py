"""A year of faults and events, pruned each day: the file stops growing and stays quick to ask.

SELFHEAL_YEAR_SCALE=10 runs ten times the load (300 faults and 5,000 events a day).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from selfheal.clock import ManualClock
from selfheal.config import Retention
from selfheal.model import Event, Kind, Mark, Notification, Outcome
from selfheal.store import SqliteRecord, open_record
from tests.store.test_retention import DAY, START, heal_one

SCALE = int(os.environ.get("SELFHEAL_YEAR_SCALE", "1"))
FAULTS, EVENTS = 30 * SCALE, 500 * SCALE
LIMITS = Retention(incidents=60 * DAY, timeline=30 * DAY, notifications=30 * DAY)


def live_a_day(record: SqliteRecord, day: int) -> None:
    now = START + day * DAY
    with record.transaction():
        record.add([Event(f"ev-{day}-{n}", "s", now, {"n": n} | BODY) for n in range(EVENTS)])
        first = day * EVENTS + 1
        record.mark([Mark(f"ev-{day}-{n}", first + n, 0) for n in range(EVENTS)])
        for number in range(FAULTS):
            outcome = Outcome.FAILED if number % 10 == 0 else Outcome.HEALED
            incident = heal_one(record, now + number, f"web{number}-{day}", outcome)
            for _ in range(6):
                record.tell(Kind.TASK, "a line of the story", incident_id=incident, data=BODY)
        told = Notification(f"no-{day}", now, "s", "evidence " * 50)
        record.add_notification(told, [])


BODY = {"alert": {"labels": {"instance": "web1:8080"}, "text": "x" * 100}}


def slowest(ask: Callable[[], object], times: int = 5) -> float:
    """Seconds of the best of some tries: the machine is shared."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        spent.append(time.perf_counter() - began)
    return min(spent)


def test_a_year_fits_into_a_bounded_file(tmp_path: Path) -> None:
    """From the third month on the file is no larger than it was, and questions stay quick."""
    file, clock = tmp_path / "record.db", ManualClock(START)
    record = open_record(file, clock)
    sizes, logs = [], []
    for day in range(365):
        live_a_day(record, day)
        clock.jump(DAY)
        record.prune(clock.now(), LIMITS)
        while record.shrink_step():
            pass
        record.checkpoint()
        logs.append(Path(f"{file}-wal").stat().st_size)
        if day % 30 == 29:
            sizes.append(file.stat().st_size)
    quick = {
        "open incidents": slowest(lambda: record.incidents(state="open", limit=10_000)),
        "running": slowest(lambda: record.healings(state="running")),
        "queued": slowest(lambda: record.healings(state="queued", limit=10_000)),
        "solution": slowest(lambda: record.solution_record("restart-backend")),
        "solutions": slowest(record.solution_records),
        "last entry": slowest(lambda: record.last_entry(Kind.HEALING)),
    }
    known = record.solution_record("restart-backend")
    [check] = record.db.query("PRAGMA integrity_check")
    record.close()
    print("MB by month:", [round(size / 1e6, 1) for size in sizes], quick)
    assert known.usage_count == 365 * FAULTS
    assert max(sizes[3:]) <= 1.15 * sizes[2]
    assert max(logs) <= 64 * 1024 * 1024
    assert check == {"integrity_check": "ok"}
    assert max(quick.values()) < 0.05, quick
