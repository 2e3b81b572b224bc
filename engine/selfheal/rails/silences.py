"""Silences: what they match is left alone, not only not talked about."""

from __future__ import annotations

from selfheal.config import Rails
from selfheal.model import Refusal, Refused, Verdict
from selfheal.ports import RailRecord
from selfheal.rails.labels import fits, has_begun, labels_of
from selfheal.rails.request import RailRequest


def silences(request: RailRequest, record: RailRecord, config: Rails) -> Refused | None:
    """Wait until the last of those that hold now is over."""
    labels = labels_of(request)
    found = [
        one
        for one in record.silences(request.now)
        if has_begun(one, request.now) and fits(one.matchers, labels)
    ]
    if not found:
        return None
    last = max(found, key=lambda one: one.ends_at)
    detail = f"silenced by {last.who} ({', '.join(map(str, last.matchers))}): {last.reason}"
    return Refused(Refusal.SILENCED, detail, Verdict.WAIT, last.ends_at)
