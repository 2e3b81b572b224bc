"""generic: the events written in the rulebook (or in a YAML file), for trying rules out."""

from __future__ import annotations

import asyncio
import datetime
import os
import random
from pathlib import Path
from typing import Any, Literal

import yaml

from selfheal.clock import Clock, SystemClock
from selfheal.errors import SourceError
from selfheal.ports import EventQueue
from selfheal.sources.arguments import Arguments, Seconds, parse_arguments

Payload = list[dict[str, Any] | None]


class Args(Arguments):
    """What a rulebook may say."""

    payload: Payload | dict[str, Any] | None = None
    """The events: a list, or a single one; none: the source only waits. Empty ones are skipped."""
    payload_file: str = ""
    """YAML file with the events; wins over `payload`."""
    final_payload: dict[str, Any] | None = None
    """One event more at the very end."""
    randomize: bool = False
    """Shuffle the events before each loop."""
    display: bool = False
    """Print each event to stdout."""
    timestamp: bool = False
    """Add `timestamp` to each event."""
    time_format: Literal["local", "iso8601", "epoch"] = "local"
    """How `timestamp` is written."""
    create_index: str = ""
    """Key under which each event gets a running number from 0."""
    blob_size: int = 0
    """Add `blob`, a text of that many characters."""
    startup_delay: Seconds = 0.0
    """Time before the first event."""
    event_delay: Seconds = 0.0
    """Time after each event of the payload."""
    repeat_delay: Seconds = 0.0
    """Time after each repeat of an event."""
    repeat_count: int = 1
    """How often each event is put before the next one."""
    loop_delay: Seconds = 0.0
    """Time between two passes over the payload."""
    loop_count: int = 1
    """Passes over the payload; -1: without end."""
    shutdown_after: Seconds = 0.0
    """Time between the last event and the end of the source."""
    shutdown_delay: Any = None
    """Accepted and without effect, as in ansible-rulebook."""
    check_env_vars: dict[str, str] | None = None
    """Environment variables that must have these values, or the source does not start."""


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Put the events, as often and as slowly as asked."""
    given = parse_arguments(Args, args, "generic")
    _check_environment(given.check_env_vars or {})
    await _Generator(queue, given, SystemClock()).run(_payload(given))


class _Generator:
    def __init__(self, queue: EventQueue, args: Args, clock: Clock) -> None:
        self.queue = queue
        self.args = args
        self.clock = clock
        self.index = 0

    async def run(self, payload: Payload) -> None:
        args = self.args
        await asyncio.sleep(args.startup_delay)
        loop = 0
        while loop != args.loop_count:
            # Waits at least one turn of the event loop, so an endless empty payload harms nobody.
            await asyncio.sleep(args.loop_delay if loop else 0)
            if args.randomize:
                random.shuffle(payload)
            for event in payload:
                if event:
                    await self._repeat(event)
            loop += 1
        if args.final_payload is not None:
            await self._put(args.final_payload)
        await asyncio.sleep(args.shutdown_after)

    async def _repeat(self, event: dict[str, Any]) -> None:
        for _ in range(self.args.repeat_count):
            await self._put(event)
            await asyncio.sleep(self.args.repeat_delay)
        await asyncio.sleep(self.args.event_delay)

    async def _put(self, event: dict[str, Any]) -> None:
        added: dict[str, Any] = {}
        if self.args.create_index:
            added[self.args.create_index] = self.index
        if self.args.blob_size > 0:
            added["blob"] = "x" * self.args.blob_size
        if self.args.timestamp:
            added["timestamp"] = self._timestamp()
        self.index += 1
        full = {**added, **event}
        if self.args.display:
            print(full)
        await self.queue.put(full)

    def _timestamp(self) -> str | int:
        now = self.clock.now()
        if self.args.time_format == "epoch":
            return int(now)
        local = datetime.datetime.fromtimestamp(now)
        return local.isoformat() if self.args.time_format == "iso8601" else str(local)


def _payload(args: Args) -> Payload:
    payload = _read_payload(args.payload_file) if args.payload_file else args.payload
    if isinstance(payload, dict):
        return [payload]
    return list(payload or [])


def _read_payload(name: str) -> Any:
    try:
        content = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SourceError(f"payload_file {name}: {error}") from error
    events = content if isinstance(content, list) else [content]
    if not all(event is None or isinstance(event, dict) for event in events):
        raise SourceError(f"payload_file {name}: every event must be a mapping")
    return events


def _check_environment(wanted: dict[str, str]) -> None:
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            state = "has another value" if name in os.environ else "is not set"
            raise SourceError(f"environment variable {name} {state}; the source needs it")
