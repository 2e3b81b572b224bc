"""What the record says about solutions."""

from __future__ import annotations

from selfheal.model import SolutionRecord
from selfheal.store.codec import from_row
from selfheal.store.repository import Repository

# The view of all records by name would add up every solution's attempts first.
_ONE = """
SELECT name, sum(usage_count) AS usage_count, sum(healed) AS healed, max(last_used) AS last_used,
    CASE WHEN sum(recoveries) THEN sum(recovery_time) / sum(recoveries) END AS mttr
FROM solution_parts WHERE name = ? GROUP BY name
"""


class Knowledge(Repository):
    """Implements `ports.KnowledgeRecord`, on a view over the attempts."""

    def solution_record(self, name: str) -> SolutionRecord:
        row = self._db.row(_ONE, (name,))
        return _record(row or {"name": name, "usage_count": 0, "healed": 0, "last_used": None})

    def solution_records(self) -> list[SolutionRecord]:
        return [_record(row) for row in self._db.rows("SELECT * FROM solution_records")]


def _record(row: dict[str, object]) -> SolutionRecord:
    # SQL's sum over attempts without an outcome is NULL; there was none to count.
    counts = {name: row[name] or 0 for name in ("usage_count", "healed")}
    return from_row(SolutionRecord, {"mttr": None} | row | counts)
