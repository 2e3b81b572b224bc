"""file_watch: an event for each file or folder created, modified, moved or deleted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from selfheal.errors import SourceError
from selfheal.ports import EventQueue
from selfheal.sources.arguments import Arguments, parse_arguments


class Args(Arguments):
    """What a rulebook may say."""

    path: str
    """Folder to watch."""
    recursive: bool = False
    """And what is below it."""
    ignore_regexes: list[str] = Field(default_factory=list)
    """Changes of paths that match one of these, from their beginning, are not told."""

    @field_validator("ignore_regexes")
    @classmethod
    def _are_regexes(cls, value: list[str]) -> list[str]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        return value


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Put changes until cancelled."""
    from selfheal.sources.folder_watch import changes

    given = parse_arguments(Args, args, "file_watch")
    ignored = [re.compile(pattern, re.IGNORECASE) for pattern in given.ignore_regexes]
    async with changes([_folder(given.path)], recursive=given.recursive) as seen:
        while True:
            change = await seen.get()
            if any(pattern.match(change.path) for pattern in ignored):
                continue
            event = {
                "change": change.kind,
                "src_path": change.path,
                "type": change.type,
                "root_path": given.path,
            }
            if change.new_path:
                event["dest_path"] = change.new_path
            await queue.put(event)


def _folder(path: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise SourceError(f"source file_watch: {path} is not a folder")
    return folder
