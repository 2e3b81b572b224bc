"""`selfheal status`: is the engine there, what is it doing, and what became of everything."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from selfheal.cli.output import echo, output_option, print_data, timestamp
from selfheal.cli.project import project_option, record_of, tolerant_project
from selfheal.daemon.lock import holder_of
from selfheal.model import Kind
from selfheal.ports import Record

if TYPE_CHECKING:
    from selfheal.store.record import SqliteRecord

_FAULTS = "SELECT state AS name, count(*) AS number FROM faults GROUP BY 1 ORDER BY 1"
_REPORTS = "SELECT 'reports' AS name, coalesce(sum(count), 0) AS number FROM faults"
_HEALINGS = (
    "SELECT coalesce(outcome, state) AS name, count(*) AS number FROM healings GROUP BY 1 "
    "ORDER BY 1"
)
_WAITING = (
    "SELECT json_extract(waiting, '$.reason') AS name, count(*) AS number FROM healings "
    "WHERE state != 'done' AND json_extract(waiting, '$.reason') IS NOT NULL GROUP BY 1 ORDER BY 1"
)


@click.command("status")
@project_option
@output_option
def command(folder: Path, output: str) -> None:
    """Tell what the engine is doing.

    It also says what became of everything that was taken in.

    `events` are accepted, and of these matched or not yet; `faults` are counted by state, and
    `fault_reports` is how often they were reported, repeats included; `healings` are counted by
    outcome, or by state while they have none, and those that wait also by what they wait for.
    """
    holder = holder_of(tolerant_project(folder).state)
    with record_of(folder) as record:
        data = {"engine": f"running, pid {holder}" if holder else "not running", **_facts(record)}
    if output != "table":
        print_data(data, output)
        return
    for key, value in data.items():
        echo(f"{key.replace('_', ' '):>20}: {_text(value)}")


def _facts(record: Record) -> dict[str, Any]:
    running = record.healings(state="running", limit=10_000)
    newest = record.incidents(limit=1)
    last = record.last_entry(Kind.ENGINE)
    healings = _counted(record, _HEALINGS)
    return {
        "open_incidents": len(record.incidents(state="open", limit=1_000_000)),
        "needing_a_human": len(record.incidents(state="manual", limit=1_000_000)),
        "healings_running": len(running),
        "healings_queued": healings.get("queued", 0),
        "busy_resources": ", ".join(one.resource for one in running) or "none",
        **_accounts(record),
        "healings": healings,
        "held_by": "; ".join(_held(record)) or "nothing",
        "newest_incident": timestamp(newest[0].opened_at) if newest else "none",
        "engine_last_said": f"{timestamp(last.at)} {last.text}" if last else "nothing",
    }


def _held(record: Record) -> Iterator[str]:
    """What keeps healings from beginning just now."""
    now = time.time()
    for pause in record.pauses(now):
        what = f"{pause.scope.value} {pause.name}".strip()
        yield f"paused ({what}) by {pause.who} since {timestamp(pause.since)}: {pause.reason}"
    for storm in record.storms(math.inf):
        if storm.ended_at is None:
            over = f"group {storm.group}" if storm.group else "the inventory"
            yield f"storm over {over} since {timestamp(storm.began_at)}"


def _accounts(record: Record) -> dict[str, Any]:
    """Return what became of everything that was taken in."""
    counts = asdict(record.journal_counts())
    firings = {
        name.removeprefix("firings_"): counts.pop(name)
        for name in list(counts)
        if name.startswith("firings_")
    }
    return {
        "events": counts,
        "firings": firings,
        "faults": _counted(record, _FAULTS),
        "fault_reports": _counted(record, _REPORTS)["reports"],
        "waiting": _counted(record, _WAITING),
    }


def _counted(record: Record, query: str) -> dict[str, int]:
    database = cast("SqliteRecord", record).db
    return {row["name"]: row["number"] for row in database.query(query)}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{number} {name}" for name, number in value.items() if number) or "none"
    return str(value)
