"""Which source a name in a rulebook means."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from selfheal.errors import SourceError
from selfheal.plugin_lookup import Family, Places, Plugin, builtin_names, find_plugin
from selfheal.ports import EventQueue

SourceMain = Callable[[EventQueue, dict[str, Any]], Awaitable[None]]

SOURCES = Family(
    noun="source",
    package="selfheal.sources.builtin",
    own=frozenset({"http_check", "tcp_check"}),
    folders=(
        "sources",
        "event_source",
        "event_sources",
        "extensions/eda/plugins/event_source",
        "../plugins/event_source",
        ".",
    ),
    collection_folders=("extensions/eda/plugins/event_source", "plugins/event_source"),
    entry_points="selfheal.sources",
)


@dataclass(frozen=True, slots=True)
class Source:
    """A source plugin, ready to run."""

    type: str
    """Its name as the rulebook has it."""
    main: SourceMain
    """ansible-rulebook's contract: `async def main(queue, args)`."""
    origin: str
    """`built in`, a path, or `entry point …`."""
    check: Callable[[Mapping[str, Any]], None]
    """Raises `SourceError` for arguments that are missing, unknown or wrong; a plugin that is not
    ours declares nothing, so for it this does nothing."""


def load_source(name: str, places: Places | None = None) -> Source:
    """Return the source called `name`: a built-in, a file in the rulebook's folder or in a plugin
    folder, one of an installed collection, or an entry point; in this order.

    Raises `SourceError`.
    """
    plugin = find_plugin(name, SOURCES, places or Places())
    if not inspect.iscoroutinefunction(plugin.main):
        raise SourceError(f"source plugin {name} ({plugin.origin}): main must be `async def`")
    return Source(name, cast(SourceMain, plugin.main), plugin.origin, _checker(plugin))


def builtin_sources() -> list[str]:
    """Return the short names of the sources that are built in."""
    return builtin_names(SOURCES)


def _checker(plugin: Plugin) -> Callable[[Mapping[str, Any]], None]:
    declared = getattr(plugin.module, "Args", None) if plugin.builtin else None
    if declared is None:
        return lambda args: None

    from selfheal.sources.arguments import parse_arguments

    def check(args: Mapping[str, Any]) -> None:
        parse_arguments(declared, args, plugin.name)

    return check
