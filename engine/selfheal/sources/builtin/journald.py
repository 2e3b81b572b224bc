"""journald: entries of the systemd journal as they are written, read by `journalctl --follow`."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import Any

from pydantic import field_validator

from selfheal.errors import EventError, SourceError
from selfheal.ports import EventQueue
from selfheal.sources.arguments import Arguments, Seconds, parse_arguments
from selfheal.sources.events import DEFAULT_LIMITS, parse_json
from selfheal.sources.intake import refuse


class Args(Arguments):
    """What a rulebook may say."""

    match: str | list[str]
    """`ALL`, or journal fields such as `_SYSTEMD_UNIT=nginx.service`; several must all hold."""
    delay: Seconds = 0.0
    """Time after each entry."""
    directory: str = ""
    """Folder of the journal, when it is not the system's."""

    @field_validator("match")
    @classmethod
    def _is_a_match(cls, value: str | list[str]) -> str | list[str]:
        terms = value if isinstance(value, list) else [value]
        for term in terms:
            # A term of another shape would be an option or a file to journalctl.
            if term not in ("ALL", "+") and (term.startswith(("-", "/")) or "=" not in term):
                raise ValueError(f"{term!r} is neither ALL nor FIELD=value")
        return value


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Put `{"journald": {field: value}}`, field names in lower case, for each new entry."""
    given = parse_arguments(Args, args, "journald")
    command = _command(given)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=DEFAULT_LIMITS.max_bytes,
    )
    try:
        await _forward(process, queue, given.delay)
        assert process.stderr is not None  # noqa: S101 -- for the type checker: PIPE was asked for
        said = (await process.stderr.read(2000)).decode(errors="replace").strip()
        raise SourceError(f"source journald: journalctl ended ({await process.wait()}): {said}")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _command(args: Args) -> list[str]:
    program = shutil.which("journalctl")
    if program is None:
        raise SourceError("source journald: no journalctl here; it needs a machine with systemd")
    command = [program, "--follow", "--output=json", "--lines=0", "--no-pager", "--quiet"]
    if args.directory:
        # Merged, because otherwise a journal without an entry of this boot is an error.
        command += [f"--directory={args.directory}", "--merge"]
    terms = args.match if isinstance(args.match, list) else [args.match]
    return command + [term for term in terms if term != "ALL"]


async def _forward(process: asyncio.subprocess.Process, queue: EventQueue, delay: float) -> None:
    assert process.stdout is not None  # noqa: S101 -- for the type checker: PIPE was asked for
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:
            refuse(queue, EventError("a journal entry is too large"))
            continue
        if not line:
            return
        try:
            entry = parse_json(line)
        except EventError as error:
            refuse(queue, error)
            continue
        await queue.put({"journald": {key.lower(): _text(item) for key, item in entry.items()}})
        await asyncio.sleep(delay)


def _text(value: Any) -> str:
    """Give a field's value as text; journalctl writes what is no UTF-8 as a list of bytes."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(byte, int) for byte in value):
        return bytes(byte & 255 for byte in value).decode(errors="replace")
    return json.dumps(value)
