"""A source's filters, run in order on each of its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from selfheal.clock import Clock, SystemClock
from selfheal.errors import EventError
from selfheal.filters.builtin import insert_meta_info
from selfheal.filters.plugins import Filter, load_filter
from selfheal.model import SourceSpec
from selfheal.plugin_lookup import Places


def load_filters(
    spec: SourceSpec,
    places: Places | None = None,
    variables: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
) -> tuple[Filter, ...]:
    """Return the source's filters, Jinja in their arguments rendered over `variables`, and after
    them the one that every source has: it adds `meta.source`, `meta.received_at`, `meta.uuid`.

    Raises `SourceError`.
    """
    filters = [load_filter(each, places, variables) for each in spec.filters]
    origin = {
        "source_name": spec.name,
        "source_type": spec.type,
        "clock": clock or SystemClock(),
    }
    filters.append(Filter("eda.builtin.insert_meta_info", insert_meta_info.main, origin))
    return tuple(filters)


def apply_filters(filters: Sequence[Filter], event: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events that come of `event`, which the filters may change: one as a rule, several
    where a filter splits it, none where one returns an empty list.

    Raises `EventError` when a filter raises, or returns what is no event.
    """
    events = [event]
    for each in filters:
        events = [result for item in events for result in _apply(each, item)]
    return events


def _apply(each: Filter, event: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        result = each.main(event, **each.args)
    except Exception as error:
        raise EventError(f"filter {each.name}: {type(error).__name__}: {error}") from error
    results: list[Any] = result if isinstance(result, list) else [result]
    if not all(isinstance(item, dict) for item in results):
        raise EventError(
            f"filter {each.name} must return an event, or a list of events ([] drops it)"
        )
    return results
