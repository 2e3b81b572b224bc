"""How many connections a peer may hold, with transports in the test's hands."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from selfheal.http_door import Connections


class Wire(asyncio.Transport):
    """A connection from an address, that knows whether it was cut."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 1)})
        self.cut = False

    def abort(self) -> None:
        self.cut = True


def connect(connections: Connections, address: str) -> tuple[Wire, Any]:
    wire = Wire(address)
    door = connections.factory(asyncio.Protocol)()
    door.connection_made(wire)
    return wire, door


async def test_a_network_of_ipv6_is_one_peer() -> None:
    """Many addresses of one /64 hold no more connections than one address may; one that goes
    makes room."""
    connections = Connections(2, 100, 10)
    held = [connect(connections, f"2001:db8:0:1::{number}") for number in range(3)]
    assert [wire.cut for wire, _ in held] == [False, False, True]
    assert not connect(connections, "2001:db8:0:2::1")[0].cut
    for _, door in reversed(held):
        door.connection_lost(None)
    assert not connect(connections, "2001:db8:0:1::9")[0].cut


async def test_all_peers_together_are_bounded() -> None:
    """The whole is counted, whoever holds it."""
    connections = Connections(2, 5, 10)
    cut = [connect(connections, f"10.0.0.{number}")[0].cut for number in range(8)]
    assert cut == [False] * 5 + [True] * 3


async def test_who_is_cut_off_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """A storm of connections is one line in the log, with the peer's name."""
    connections = Connections(1, 5, 10)
    for _ in range(50):
        connect(connections, "10.0.0.7")
    assert [one.getMessage() for one in caplog.records] == [
        "10.0.0.7 holds too many connections; more are refused"
    ]


async def test_each_request_has_its_time() -> None:
    """The second request of a connection is cut off when its head does not come, as the first is;
    while one is answered nothing is."""
    connections = Connections(1, 5, 0.05)
    wire, door = connect(connections, "10.0.0.7")
    with connections.request(wire):
        await asyncio.sleep(0.15)
        assert not wire.cut
    await asyncio.sleep(0.15)
    assert not wire.cut, "between requests nothing is due"
    door.data_received(b"GET / HTT")
    async with asyncio.timeout(5):
        while not wire.cut:  # noqa: ASYNC110 (a transport sets no event)
            await asyncio.sleep(0.01)
