"""`command`: a program on the engine's machine ends with the right exit code. Never a shell."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic import Field

from selfheal.masking import looks_secret
from selfheal.recovery.validation import steering
from selfheal.recovery.validation.kind import Args, Kind, ProbeContext, Seen

_MOST_OUTPUT = 1 << 20


class CommandArgs(Args):
    """Arguments of `command`."""

    argv: list[str] = Field(
        min_length=1, description="Program and arguments, as a list or one string in shell quotes."
    )
    rc: int = Field(0, description="Exit code that is expected.")
    regex: str = Field("", description="Regular expression that must be found in its output.")
    chdir: str = Field("", description="Folder to run it in.")


def split(args: Mapping[str, Any]) -> Mapping[str, Any]:
    """Split a command given as one string: before rendering, so that event data stays one word."""
    argv = args.get("argv")
    return {**args, "argv": _words(argv)} if isinstance(argv, str) else args


def _words(text: str) -> list[str]:
    """Like shlex.split, with the spaces inside `{{ … }}` kept."""
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match[0])
        return f"\0{len(held) - 1}\0"

    words = shlex.split(re.sub(r"\{\{.*?\}\}", hold, text, flags=re.DOTALL))
    return [re.sub(r"\0(\d+)\0", lambda match: held[int(match[1])], word) for word in words]


async def probe(args: CommandArgs, context: ProbeContext) -> Seen:
    """Run it once; it is ended with its children when the try is over."""
    process = await asyncio.create_subprocess_exec(
        *args.argv,
        cwd=args.chdir or None,
        env={name: value for name, value in os.environ.items() if not looks_secret(name)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output = (await _output(process)).decode("utf-8", "replace").strip()
        code = await process.wait()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    last = output.splitlines()[-1][:200] if output else "no output"
    if code != args.rc:
        return Seen(False, f"rc {code}, not {args.rc}: {last}")
    if args.regex and not re.search(args.regex, output):
        return Seen(False, f"rc {code}, but the output does not match {args.regex!r}: {last}")
    return Seen(True, f"rc {code}: {last}")


async def _output(process: asyncio.subprocess.Process) -> bytes:
    """Read all there is and keep the end of it."""
    output = b""
    while process.stdout and (chunk := await process.stdout.read(65536)):
        output = (output + chunk)[-_MOST_OUTPUT:]
    return output


COMMAND = Kind(
    CommandArgs,
    lambda args: f"command {shlex.join(args.argv)}",
    probe,
    split,
    refuse=steering.words,
)
