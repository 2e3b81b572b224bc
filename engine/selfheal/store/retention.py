"""Retention: what is old goes, in small steps; what is open or needed stays, however old."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from selfheal.clock import SystemClock
from selfheal.config import Retention
from selfheal.store.repository import Repository
from selfheal.store.sweeps import SUM_UP, SWEEPS, Sweep

STEP_SECONDS = 0.02  # what one transaction may take: nobody else writes meanwhile
FIRST_STEP, LARGEST_STEP = 50, 500
VACUUM_PAGES = 200
# Rails count over windows of days: a record that is too large keeps at least those.
_FLOORS = {"incidents": 7 * 86_400.0, "approvals": 7 * 86_400.0}
_SMALLER = tuple(0.5**power for power in range(1, 11))

_SETTLED_RUN = """
SELECT coalesce(healings.ended_at, steps.ended_at) AS settled_at FROM steps
LEFT JOIN attempts ON attempts.id = steps.attempt_id
LEFT JOIN healings ON healings.id = attempts.healing_id
WHERE steps.ident = ? AND steps.state != 'running' AND coalesce(healings.state, 'done') = 'done'
    AND (steps.attempt_id IS NOT NULL OR steps.started_at <
        coalesce((SELECT min(at) FROM firings WHERE state = 'pending'), 9e99))
"""

Pruned = tuple[str, int]
"""A noun, and how many of it went."""


class Upkeep(Repository):
    """Keeps the file in bounds: pruning, and giving room back to the file system."""

    def prune(self, now: float, limits: Retention) -> Mapping[str, int]:
        """Prune in one go; return how many of each noun went."""
        counts: Counter[str] = Counter()
        for noun, count in self.prune_steps(now, limits):
            counts[noun] += count
        return dict(counts)

    def prune_steps(self, now: float, limits: Retention) -> Iterator[Pruned]:
        """Prune one small transaction at a time; the caller may do other things in between."""
        yield from self._paced("summed_up", self._sum_up)
        for sweep in SWEEPS:
            yield from self._sweep(sweep, now - getattr(limits, sweep.limit))
        for factor in _SMALLER:
            if limits.max_size is None or self.used_bytes() <= limits.max_size:
                return
            for sweep in SWEEPS:
                age = max(getattr(limits, sweep.limit) * factor, _FLOORS.get(sweep.limit, 0.0))
                yield from self._sweep(sweep, now - age)

    def prunable(self, now: float, limits: Retention) -> Mapping[str, int]:
        """Count by noun what `prune` would make go by age; deletes nothing.

        Sums up first what is over, as `prune` does: what is not summed up can't go."""
        for _ in self._paced("summed_up", self._sum_up):
            pass
        counts = {}
        for sweep in SWEEPS:
            statement = f"SELECT count(*) AS found FROM ({sweep.select})"  # noqa: S608 (the code's own text)
            cutoff = now - getattr(limits, sweep.limit)
            [row] = self._db.rows(statement, {"cutoff": cutoff})
            if row["found"]:
                counts[sweep.noun] = row["found"]
        return counts

    def run_settled_at(self, ident: str) -> float | None:
        """When a playbook run was over for good: nobody asks for its artifacts any more.

        None while it, its healing, or a rule's actions that may have begun it are not over."""
        row = self._db.row(_SETTLED_RUN, (ident,))
        return row["settled_at"] if row else None

    def knows_run(self, ident: str) -> bool:
        """Tell whether a playbook run is on record."""
        return self._db.row("SELECT 1 FROM steps WHERE ident = ?", (ident,)) is not None

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._page_size()

    def shrink_step(self) -> bool:
        """Give some free pages back to the file system; False when there is nothing to do.

        A fifth of the file may be free: it is soon written again."""
        free = self._pragma("freelist_count")
        if self._pragma("auto_vacuum") != 2 or free * 5 < self._pragma("page_count"):
            return False
        self._db.rows(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
        return self._pragma("freelist_count") < free

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file as far as readers allow; waits for nobody."""
        self._db.rows("PRAGMA wal_checkpoint(PASSIVE)")

    def vacuum(self) -> None:
        """Rewrite the file whole; nobody else can write meanwhile, and it needs as much room."""
        self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self._db.execute("VACUUM")
        self._db.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def _sweep(self, sweep: Sweep, cutoff: float) -> Iterator[Pruned]:
        find = f"INSERT INTO going {sweep.select}"

        def step(size: int) -> int:
            return self._step(f"{find} LIMIT {size}", sweep.deletes, {"cutoff": cutoff})

        return self._paced(sweep.noun, step)

    def _sum_up(self, size: int) -> int:
        find, *rest = SUM_UP
        return self._step(f"{find} LIMIT {size}", rest, {})

    def _paced(self, noun: str, step: Callable[[int], int]) -> Iterator[Pruned]:
        """Take as large steps as the time for one allows, until there is nothing left."""
        size, clock = FIRST_STEP, SystemClock()
        while True:
            began = clock.monotonic()
            count = step(size)
            if count:
                yield noun, count
            if count < size:
                return
            spent = max(clock.monotonic() - began, 1e-6)
            size = int(min(LARGEST_STEP, max(1, size * min(2.0, STEP_SECONDS / spent))))

    def _step(self, find: str, then: Iterable[str], values: Mapping[str, float]) -> int:
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS going (key)")
        with self._db.writing():
            self._db.execute("DELETE FROM going")
            if count := self._db.execute(find, values).rowcount:
                for statement in then:
                    self._db.execute(statement)
            return count

    def _page_size(self) -> int:
        return self._pragma("page_size")

    def _pragma(self, name: str) -> int:
        [row] = self._db.rows(f"PRAGMA {name}")
        value: int = next(iter(row.values()))
        return value
