"""House-keeping: once an hour the record and the artifacts are brought back into bounds."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from selfheal.clock import Clock
from selfheal.config import Retention
from selfheal.duration import format_duration
from selfheal.errors import StoreError
from selfheal.model import Kind
from selfheal.store.connection import Damaged
from selfheal.store.record import SqliteRecord

FIRST_AFTER = 10.0  # seconds after the start, which has better things to do
ORPHAN_AGE = 3600.0
TRUSTED_JUMP = 6 * 3600.0

log = logging.getLogger(__name__)


async def keep_house(record: SqliteRecord, state: Path, limits: Retention, clock: Clock) -> None:
    """Tidy up soon after the start and then every `limits.every`, until cancelled.

    Works in small steps between which the event loop does other things. What goes wrong is
    logged, and tried again the next time. Raises Damaged: no engine should go on with that."""
    await clock.sleep(FIRST_AFTER)
    if record.time_leapt(TRUSTED_JUMP, since=clock.now() - ORPHAN_AGE):
        # An engine that was off for long, or a clock that is wrong: then a human has an hour.
        log.warning("no engine was here for long, or the clock was set: nothing is pruned yet")
        await clock.sleep(limits.every)
    offset = clock.now() - clock.monotonic()
    while True:
        jump = clock.now() - clock.monotonic() - offset
        offset += jump
        if abs(jump) > TRUSTED_JUMP:
            # Somebody may set it right again before anything is pruned by a wrong date.
            log.error("the clock was set by %+.0f hours; nothing is pruned now", jump / 3600)
        else:
            await _tidy_or_say_why_not(record, state, limits, clock)
        await clock.sleep(limits.every)


async def _tidy_or_say_why_not(
    record: SqliteRecord, state: Path, limits: Retention, clock: Clock
) -> None:
    try:
        await tidy(record, state, limits, clock)
    except Damaged:
        raise
    except (StoreError, OSError) as error:
        log.error("house-keeping: %s", error)


async def tidy(
    record: SqliteRecord, state: Path, limits: Retention, clock: Clock
) -> Mapping[str, int]:
    """Prune record and artifacts once; return how many of each noun went."""
    counts: Counter[str] = Counter()
    for noun, count in record.prune_steps(clock.now(), limits):
        counts[noun] += count
        await asyncio.sleep(0)
    while record.shrink_step():  # noqa: ASYNC110 (it does a part of the work; nobody else would set an event)
        await asyncio.sleep(0)
    record.checkpoint()
    counts["artifacts"] = await _prune_artifacts(record, state, limits, clock.now())
    gone = {noun: count for noun, count in counts.items() if count and noun != "summed_up"}
    if gone:
        what = ", ".join(f"{count} {noun.replace('_', ' ')}" for noun, count in gone.items())
        record.tell(Kind.ENGINE, f"pruned: {what}", data=gone)
    _warn_of_size(record, limits)
    return gone


def _warn_of_size(record: SqliteRecord, limits: Retention) -> None:
    size = record.used_bytes()
    if limits.max_size is not None and size > limits.max_size:
        log.error(
            "the record holds %d MB and may hold %d MB (retention.max_size), but what is left "
            "is open, needed, or younger than a week (%s is seen to again)",
            *(size // 1_000_000, limits.max_size // 1_000_000, format_duration(limits.every)),
        )


async def _prune_artifacts(record: SqliteRecord, state: Path, limits: Retention, now: float) -> int:
    """Remove the folders of runs that are over and old, or that the record knows nothing of."""
    folder, gone = state / "runner" / "artifacts", 0
    if not folder.is_dir():
        return 0
    for path, age in await asyncio.to_thread(_folders, folder, now):
        settled_at = record.run_settled_at(path.name)
        if settled_at is not None:
            goes = min(age, now - settled_at) > limits.artifacts
        else:
            goes = age > ORPHAN_AGE and not record.knows_run(path.name)
        if goes:
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
            gone += not path.exists()
        else:
            await asyncio.sleep(0)
    return gone


def _folders(folder: Path, now: float) -> list[tuple[Path, float]]:
    """Each artifact folder with its age in seconds; one set in the future is new."""
    return [
        (path, now - path.stat().st_mtime)
        for path in folder.iterdir()
        if path.is_dir() and not path.is_symlink()
    ]
