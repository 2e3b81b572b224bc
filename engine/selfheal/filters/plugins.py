"""Which filter a name in a rulebook means."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from selfheal.errors import SourceError, TemplateError
from selfheal.model import FilterSpec
from selfheal.plugin_lookup import Family, Places, builtin_names, find_plugin
from selfheal.templates import render

FILTERS = Family(
    noun="filter",
    package="selfheal.filters.builtin",
    own=frozenset(),
    folders=(
        "filters",
        "event_filter",
        "event_filters",
        "extensions/eda/plugins/event_filter",
        "../plugins/event_filter",
        ".",
    ),
    collection_folders=("extensions/eda/plugins/event_filter", "plugins/event_filter"),
    entry_points="selfheal.filters",
)


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter plugin with its arguments, ready to run."""

    name: str
    """As the rulebook has it."""
    main: Callable[..., object]
    """ansible-rulebook's contract: `def main(event, **args)`."""
    args: Mapping[str, Any]
    """Its arguments."""


def load_filter(
    spec: FilterSpec, places: Places | None = None, variables: Mapping[str, Any] | None = None
) -> Filter:
    """Return the filter: a built-in, a file in the rulebook's folder or in a plugin folder, one of
    an installed collection, or an entry point; in this order.

    Raises `SourceError`, also for arguments that it does not take.
    """
    plugin = find_plugin(spec.name, FILTERS, places or Places())
    if inspect.iscoroutinefunction(plugin.main):
        raise SourceError(f"filter plugin {spec.name} ({plugin.origin}): main must not be async")
    try:
        args: dict[str, Any] = render(dict(spec.args), variables or {})
        inspect.signature(plugin.main).bind({}, **args)
    except (TemplateError, TypeError) as error:
        raise SourceError(f"filter {spec.name}: {error}") from None
    return Filter(spec.name, plugin.main, args)


def builtin_filters() -> list[str]:
    """Return the short names of the filters that are built in."""
    return builtin_names(FILTERS)
