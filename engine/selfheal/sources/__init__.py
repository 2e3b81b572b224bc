"""Event sources: where events come from, and the door they come in by."""

from selfheal.sources.events import EventLimits, clean_event, parse_json
from selfheal.sources.plugins import Source, builtin_sources, load_source
from selfheal.sources.runner import (
    Backoff,
    ReportKind,
    SourceEnd,
    SourceReport,
    render_args,
    run_source,
)

__all__ = [
    "Backoff",
    "EventLimits",
    "ReportKind",
    "Source",
    "SourceEnd",
    "SourceReport",
    "builtin_sources",
    "clean_event",
    "load_source",
    "parse_json",
    "render_args",
    "run_source",
]
