"""Sources that listen, under senders who mean ill: what they hold, how often, how much."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from aiohttp import web

from selfheal.sources import EventLimits
from selfheal.sources.headers import is_credential, shown_headers
from selfheal.sources.http_server import ServerArgs, _Server
from tests.sources.test_webhook import webhook

CREDENTIALS = (
    "Authorization Proxy-Authorization Cookie X-Api-Key X-Auth-Token X-Gitlab-Token X-Hub-Signature"
    " X-Hub-Signature-256 X-Amz-Security-Token X-Vault-Token Api-Key X-Password X-Session-Id X-JWT"
    " X-Client-Secret Signature X-Hmac-Sha256 X-Credentials Stripe-Signature PRIVATE-TOKEN"
)
HARMLESS = ("X-GitHub-Event", "Content-Type", "User-Agent", "X-Request-Id", "Host", "Accept")


@pytest.mark.parametrize("name", CREDENTIALS.split())
def test_what_looks_like_a_credential_is_dropped(name: str) -> None:
    """A header whose name sounds like a credential is not in the event."""
    assert is_credential(name)
    assert shown_headers([(name, "v")], ()) == {}


@pytest.mark.parametrize("name", HARMLESS)
def test_other_headers_are_shown(name: str) -> None:
    """Rulebooks may look at what is no credential."""
    assert shown_headers([(name, "v")], ()) == {name: "v"}


def test_an_author_may_keep_a_header() -> None:
    """`keep_headers` names what sounds like a credential and is none."""
    assert shown_headers([("X-Idempotency-Key", "7")], {"x-idempotency-key"}) == {
        "X-Idempotency-Key": "7"
    }


def test_headers_are_bounded() -> None:
    """A thousand headers, or a long one, do not make each event of a request heavy."""
    many = shown_headers([(f"X-{number}", "v" * 100) for number in range(1000)], ())
    assert len(many) <= 64
    assert sum(len(name) + len(value) for name, value in many.items()) <= 8192


async def test_a_storm_from_one_peer_passes() -> None:
    """10,000 requests at once from one Alertmanager are all let in by default."""

    async def accept(*request: object) -> web.Response:
        return web.Response()

    server = _Server(ServerArgs(port=1), EventLimits(), accept)
    assert not any(server.rate.wait("10.0.0.1") for _ in range(10_000))


async def test_too_many_requests() -> None:
    """The answer is 429 with the time to wait, and the engine is left in peace."""
    async with webhook(rate_limit=0.2) as hook:
        statuses = [(await hook.post({}))[0] for _ in range(2)]
        async with hook.session.post(hook.url, data=b"{}") as answer:
            assert (statuses, answer.status) == ([200, 200], 429)
            assert 1 <= int(answer.headers["Retry-After"]) <= 5


async def test_silent_connections_are_closed() -> None:
    """Who connects and never sends its headers is cut off, by the drop or not at all."""
    async with webhook(header_timeout="200ms", token="open sesame") as hook:
        port = int(hook.url.rpartition(":")[2])
        silent = await asyncio.open_connection("127.0.0.1", port)
        dripping = await asyncio.open_connection("127.0.0.1", port)
        dripping[1].write(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        started = time.monotonic()
        for reader, writer in (silent, dripping):
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
        assert time.monotonic() - started < 4
        authorized = {"Authorization": "Bearer open sesame"}
        assert (await hook.post({}, headers=authorized))[0] == 200


async def test_a_peer_holds_only_so_many_connections() -> None:
    """One peer's half-open connections are capped; when they go, it is let in again."""
    async with webhook(max_connections_per_peer=3, header_timeout="300ms") as hook:
        port = int(hook.url.rpartition(":")[2])
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        for _, one in [*held, (reader, writer)]:
            one.close()
        deadline = time.monotonic() + 5
        while True:
            with contextlib.suppress(Exception):
                if (await hook.post({}))[0] == 200:
                    break
            assert time.monotonic() < deadline


async def test_slow_bodies_without_the_token_hold_nothing() -> None:
    """Bodies that never come hold no place of those who know the token."""
    async with webhook(max_requests=1, token="open sesame") as hook:
        port = int(hook.url.rpartition(":")[2])
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        for _, writer in slow:
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        authorized = {"Authorization": "Bearer open sesame"}
        answer = await asyncio.wait_for(hook.post({}, headers=authorized), 5)
        assert answer[0] == 200
        for _, writer in slow:
            writer.close()


async def test_a_group_of_too_many_alerts_is_refused_whole() -> None:
    """More than `max_alerts` is 413 and says how many there were; none of them is an event."""
    async with webhook("alertmanager", max_alerts=3) as hook:
        alerts = [{"labels": {"n": str(number)}} for number in range(4)]
        assert await hook.post({"alerts": alerts}, "/endpoint") == (
            413,
            "refused: 4 alerts, more than max_alerts (3)\n",
        )
        assert hook.run.events() == []


async def test_a_group_may_weigh_more_than_an_event() -> None:
    """10,000 alerts in one request are 10,000 events, though the whole is too large for one."""
    limits = EventLimits(max_bytes=100_000)
    async with webhook("alertmanager", limits=limits) as hook:
        alerts = [{"labels": {"instance": f"web{number}:80"}} for number in range(10_000)]
        assert (await hook.post({"alerts": alerts}, "/endpoint"))[0] == 202
        assert len(hook.run.events()) == 10_000
