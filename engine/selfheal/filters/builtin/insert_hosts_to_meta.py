"""insert_hosts_to_meta: finds the hosts in an event, so that actions are limited to them."""

from __future__ import annotations

import logging
from typing import Any

from selfheal.filters.key_path import value_at

_LOG = logging.getLogger(__name__)


def main(
    event: dict[str, Any],
    host_path: str | None = None,
    host_separator: str | None = None,
    path_separator: str = ".",
    *,
    raise_error: bool = False,
    log_error: bool = True,
) -> dict[str, Any]:
    """Put what is at `host_path` into `meta.hosts`, a list of names.

    A text is one host, or several between `host_separator`. Without that path the event stays as
    it is: told in the log unless `log_error` is off, and refused when `raise_error` is on.
    """
    if not host_path:
        return event
    try:
        found = value_at(event, host_path, path_separator)
    except KeyError:
        if log_error:
            _LOG.error("insert_hosts_to_meta: an event has no %s", host_path)
        if raise_error:
            raise
        return event
    event.setdefault("meta", {})["hosts"] = _hosts(found, host_separator)
    return event


def _hosts(found: Any, separator: str | None) -> list[str]:
    if isinstance(found, str):
        return found.split(separator) if separator else [found]
    if isinstance(found, list) and all(isinstance(host, str) for host in found):
        return found
    raise TypeError(f"{found!r} is no host name and no list of host names")
