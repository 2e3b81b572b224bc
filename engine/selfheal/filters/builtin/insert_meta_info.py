"""insert_meta_info: where an event came from and when. Every source has it, after its own filters.

What the event says about itself already is kept.
"""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from selfheal.clock import Clock, SystemClock


def main(
    event: dict[str, Any], source_name: str, source_type: str, clock: Clock | None = None
) -> dict[str, Any]:
    """Add `meta.source.name`, `meta.source.type`, `meta.received_at` (UTC) and `meta.uuid`."""
    meta = event.setdefault("meta", {})
    source = meta.setdefault("source", {})
    source.setdefault("name", source_name)
    source.setdefault("type", source_type)
    if "received_at" not in meta:
        now = (clock or SystemClock()).now()
        at = datetime.datetime.fromtimestamp(now, datetime.UTC)
        meta["received_at"] = at.isoformat().replace("+00:00", "Z")
    if "uuid" not in meta:
        meta["uuid"] = str(uuid.uuid4())
    return event
