"""selfheal.tcp_check: connect to ports and tell when one stops, or starts, to answer."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from pydantic import Field, field_validator

from selfheal.clock import SystemClock
from selfheal.ports import EventQueue
from selfheal.sources.arguments import parse_arguments
from selfheal.sources.checks import CheckArgs, Target, watch


class Args(CheckArgs):
    """What a rulebook may say."""

    targets: list[str | Target] = Field(min_length=1)
    """`host:port`; an entry may be `{target: host:port, component: …, hosts: […]}`."""

    @field_validator("targets")
    @classmethod
    def _are_addresses(cls, value: list[str | Target]) -> list[str | Target]:
        for entry in value:
            _address(entry if isinstance(entry, str) else entry.target)
        return value


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Probe until cancelled. A connection is closed as soon as it stands."""
    given = parse_arguments(Args, args, "selfheal.tcp_check")
    targets = [_target(entry) for entry in given.targets]
    await watch(queue, "tcp", given, targets, _probe, SystemClock())


async def _probe(target: Target) -> str:
    host, port = _address(target.target)
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_connection(asyncio.Protocol, host, port)
    except (OSError, ValueError) as error:
        return _problem(error)
    transport.close()
    return ""


def _problem(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, socket.gaierror):
        return "name can't be resolved"
    return str(error)


def _address(target: str) -> tuple[str, int]:
    host, _, port = target.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{target!r} is not host:port")
    return host, int(port)


def _target(entry: str | Target) -> Target:
    target = entry if isinstance(entry, Target) else Target(target=entry)
    hosts = target.hosts or [_address(target.target)[0]]
    return target.model_copy(update={"hosts": hosts})
