"""file: the mappings in YAML files as events, at the start and whenever a file changes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from selfheal.errors import EventError
from selfheal.ports import EventQueue
from selfheal.sources.arguments import Arguments, parse_arguments
from selfheal.sources.intake import refuse

_LOG = logging.getLogger(__name__)
_SETTLE = 0.05


class Args(Arguments):
    """What a rulebook may say."""

    files: list[str] = Field(min_length=1)
    """YAML files, each a mapping or a list of mappings."""


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Put each mapping of each file; after a change those of the changed file again."""
    from selfheal.sources.folder_watch import changes

    given = parse_arguments(Args, args, "file")
    files = [_absolute(name) for name in given.files]
    reader = _Reader(queue)
    async with changes({file.parent for file in files}) as seen:
        for file in files:
            await reader.read(file)
        while True:
            change = await seen.get()
            # One save is several changes; the last of them has the whole content.
            await asyncio.sleep(_SETTLE)
            touched = {change.path, change.new_path}
            while not seen.empty():
                change = seen.get_nowait()
                touched |= {change.path, change.new_path}
            for file in files:
                if str(file) in touched:
                    await reader.read(file)


class _Reader:
    def __init__(self, queue: EventQueue) -> None:
        self.queue = queue
        self.seen: dict[Path, bytes] = {}

    async def read(self, file: Path) -> None:
        """Put what the file holds, unless it is what it held before, or can't be read."""
        try:
            content = await asyncio.to_thread(file.read_bytes)
            if self.seen.get(file) == content:
                return
            self.seen[file] = content
            events = yaml.safe_load(content)
        except FileNotFoundError:
            self.seen.pop(file, None)
            _LOG.warning("file source: %s does not exist; waiting for it", file)
            return
        except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
            refuse(self.queue, EventError(f"{file}: {error}"))
            return
        if events is not None:
            for event in events if isinstance(events, list) else [events]:
                await self.queue.put(event)


def _absolute(name: str) -> Path:
    return Path(name).resolve()
