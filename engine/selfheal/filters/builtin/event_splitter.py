"""event_splitter: makes an event of each item of a list inside the event."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

from selfheal.filters.key_path import value_at

_LOG = logging.getLogger(__name__)


def main(
    event: dict[str, Any],
    splitter_key: str,
    attributes_key_map: Mapping[str, str] | None = None,
    extras: Mapping[str, Any] | None = None,
    raise_error: bool = False,
) -> list[dict[str, Any]]:
    """Return the items of the list at `splitter_key` as events.

    Each gets what `attributes_key_map` (new key: path in the whole event) finds, and `extras`.
    Without that list the event stays whole, or is refused when `raise_error` is on.
    """
    try:
        items = value_at(event, splitter_key)
    except KeyError:
        if raise_error:
            raise
        _LOG.warning("event_splitter: an event has no %s and stays whole", splitter_key)
        return [event]
    added = _attributes(event, attributes_key_map or {}) | dict(extras or {})
    return [{**item, **copy.deepcopy(added)} for item in items]


def _attributes(event: dict[str, Any], key_map: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for name, path in key_map.items():
        try:
            found[name] = value_at(event, path)
        except KeyError:
            _LOG.warning("event_splitter: an event has no %s for %s", path, name)
    return found
