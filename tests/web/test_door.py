"""Who is let in, and what a stranger learns: nothing."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from selfheal.errors import ConfigError, StoreError
from selfheal.web import server
from tests.approvals.support import Bench
from tests.sources.certificates import authority, issued

from .support import TOKENS, site

Make = Callable[..., Bench]
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
BORING = {
    "Cache-Control",
    "Connection",
    "Content-Length",
    "Content-Security-Policy",
    "Date",
    "Referrer-Policy",
    "Server",
    "X-Content-Type-Options",
    "X-Frame-Options",
}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/api/status"),
        ("HEAD", "/api/status"),
        ("DELETE", "/api/status"),
        ("OPTIONS", "/api/approvals"),
        ("POST", "/api/approvals/ap-1/approve"),
        ("GET", "/api/nothing"),
        ("GET", "/api/../etc/passwd"),
        ("POST", "/healthz"),
        ("GET", "/healthz/"),
        ("GET", "/answer/"),
        ("GET", "/answer/x.y"),
        ("GET", "/metrics"),
    ],
)
async def test_a_stranger_learns_nothing(
    tmp_path: Path, bench: Make, method: str, path: str
) -> None:
    """Whatever is asked for, whether or not it is there: 401, no body, no name, no version."""
    async with site(tmp_path, bench()) as one:
        status, body, headers = await one.stranger(method, path)
    assert (status, body) == (401, b"")
    assert set(headers) <= BORING
    assert headers["Server"] == ""


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKENS['anna']}x",
        f"Bearer {TOKENS['anna'][:-1]}",
        f"Basic {TOKENS['anna']}",
        TOKENS["anna"],
        "Bearer \udcff",
    ],
)
async def test_a_wrong_token_is_no_token(tmp_path: Path, bench: Make, shown: str) -> None:
    """A token that is nearly right, or shown in another way, is answered as none is."""
    async with site(tmp_path, bench()) as one:
        raw = shown.encode("utf-8", "surrogateescape")
        head = b"GET /api/status HTTP/1.1\r\nHost: x\r\nAuthorization: " + raw + b"\r\n\r\n"
        answer = await one.raw(head)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert answer.endswith(b"\r\n\r\n")


async def test_each_user_by_the_own_token(tmp_path: Path, bench: Make) -> None:
    """The right token opens, whichever of the users it belongs to."""
    async with site(tmp_path, bench()) as one:
        for user in TOKENS:
            status, data = await one.ask("GET", "/api/status", user=user)
            assert (status, data["approvals"]) == (200, {})


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nbroken header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_http_learns_nothing_either(
    tmp_path: Path, bench: Make, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The error path of the HTTP library names neither itself nor what it did not like."""
    async with site(tmp_path, bench()) as one:
        answer = await one.raw(said)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4"))
    assert body == b""
    assert b"ython" not in head
    assert b"aiohttp" not in head
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


async def test_health(tmp_path: Path, bench: Make) -> None:
    """`/healthz` says ok without a token, and a bare 503 when the record does not answer."""
    one = bench()
    async with site(tmp_path, one) as there:
        assert (await there.stranger("GET", "/healthz"))[:2] == (200, b"ok")

        def broken(kind: object) -> None:
            raise StoreError("the disk is gone")

        one.record.last_entry = broken  # type: ignore[method-assign]
        assert (await there.stranger("GET", "/healthz"))[:2] == (503, b"")


async def test_a_stranger_has_one_request_a_connection(tmp_path: Path, bench: Make) -> None:
    """Two requests sent down one connection without a token: the first is answered, then it is
    closed."""
    async with site(tmp_path, bench()) as one:
        answer = await one.raw(HEALTH * 2)
    assert answer.count(b"HTTP/1.1") == 1


async def test_who_says_nothing_is_let_go(
    tmp_path: Path, bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer that connects and sends half a head is disconnected."""
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.2)
    async with site(tmp_path, bench()) as one:
        assert await one.raw(b"GET /healthz HTTP/1.1\r\nHost:") == b""


async def test_connections_are_counted(
    tmp_path: Path, bench: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer that holds as many connections as it may gets no other before it lets one go."""
    monkeypatch.setattr(server, "MOST_OF_ONE", 2)
    async with site(tmp_path, bench()) as one:
        host, _, port = one.address.rpartition(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        assert await one.raw(HEALTH) == b""
        held[0][1].close()
        await held[0][1].wait_closed()

        async with asyncio.timeout(5):
            while not await one.raw(HEALTH):
                pass
        held[1][1].close()


async def test_a_defect_of_ours_is_logged_and_not_told(
    tmp_path: Path,
    bench: Make,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever goes wrong inside, the caller gets a bare 500 and the log the traceback, but not
    the path, which may be a link."""
    made = bench()

    def broken(*args: object, **more: object) -> None:
        raise RuntimeError("a defect")

    async with site(tmp_path, made) as one, made.asking(made.healing()):
        monkeypatch.setattr(made.record, "approval", broken)
        link = one.links.text(made.told[0][2]).split()[-1]
        path = link[link.index("/answer/") :]
        assert (await one.stranger("GET", path))[:2] == (500, b"")
    assert "RuntimeError: a defect" in caplog.text
    assert path not in caplog.text


async def test_rate(tmp_path: Path, bench: Make) -> None:
    """A peer has its burst, then one request for each that time brings; it is told when."""
    made = bench()
    async with site(tmp_path, made, rate=0.5, burst=3) as one:
        answers = [await one.stranger("GET", "/api/status") for _ in range(4)]
        assert [status for status, _, _ in answers] == [401, 401, 401, 429]
        assert answers[-1][1] == b""
        assert answers[-1][2]["Retry-After"] == "2"
        assert (await one.stranger("GET", "/healthz"))[0] == 429
        await made.clock.advance(2)
        assert (await one.ask("GET", "/api/status"))[0] == 200
        assert (await one.stranger("GET", "/healthz"))[0] == 429


async def test_tls(tmp_path: Path, bench: Make) -> None:
    """With a certificate it speaks TLS only, and says so for later."""
    ca = authority(tmp_path)
    own = issued(ca, tmp_path, "api")
    trust = ssl.create_default_context(cafile=str(ca.cert))
    files = {"certfile": own.cert.name, "keyfile": own.key.name}
    async with site(tmp_path, bench(), **files) as one:
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKENS['anna']}"}) as session,
            session.get(f"https://{one.address}/api/status", ssl=trust) as answer,
        ):
            assert answer.status == 200
            assert "Strict-Transport-Security" in answer.headers
        assert await one.raw(HEALTH) == b""


async def test_a_body_that_is_too_large(tmp_path: Path, bench: Make) -> None:
    """It is refused by its announced length, and one without a length as soon as it is too long."""
    async with site(tmp_path, bench(), max_body=2000) as one:
        path = "/api/approvals/ap-1/approve"
        status, data = await one.ask("POST", path, data=b"x" * 2001)
        assert (status, data) == (413, {"error": "the body has more than 2000 bytes"})
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKENS['anna']}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
        answer = await one.raw(head.encode() + chunk * 3)
        assert answer.startswith(b"HTTP/1.1 413 ")
        announced = head.replace("Transfer-Encoding: chunked", "Content-Length: 9999999999")
        assert (await one.raw(announced.encode())).startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_is_too_slow(tmp_path: Path, bench: Make) -> None:
    """Who sends a body byte by byte holds the connection for the time allowed, no longer."""
    async with site(tmp_path, bench(), body_timeout=0.3) as one:
        head = (
            "POST /api/approvals/ap-1/deny HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {TOKENS['anna']}\r\nContent-Length: 100\r\n\r\n{{"
        )
        began = time.monotonic()
        answer = await one.raw(head.encode(), wait=10)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 5


async def test_one_who_is_slow_keeps_nobody_waiting(tmp_path: Path, bench: Make) -> None:
    """While a slow body is awaited, others are answered."""
    async with site(tmp_path, bench(), body_timeout=5) as one:
        head = (
            "POST /api/approvals/ap-1/deny HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {TOKENS['anna']}\r\nContent-Length: 100\r\n\r\n{{"
        )
        slow = asyncio.create_task(one.raw(head.encode(), wait=30))
        assert (await asyncio.wait_for(one.ask("GET", "/api/status"), 3))[0] == 200
        assert not slow.done()
        slow.cancel()


async def test_wrong_tokens_files_and_ports(tmp_path: Path, bench: Make) -> None:
    """A token file that is missing, short or another user's, a certificate that is none, and a
    port that is taken are told as configuration errors."""
    made = bench()
    (tmp_path / "short.token").write_text("short\n")
    twice = [{"name": "x", "token_file": "anna.token"}, {"name": "y", "token_file": "anna.token"}]
    wrong = (
        ({"users": [{"name": "x", "token_file": "none.token"}]}, "can't be read"),
        ({"users": [{"name": "x", "token_file": "short.token"}]}, "16 characters"),
        ({"users": twice}, "another user has the same token"),
        ({"certfile": "short.token"}, "certificate can't be used"),
    )
    for api, why in wrong:
        with pytest.raises(ConfigError, match=why):
            async with site(tmp_path, made, **api):
                pass
    async with site(tmp_path, made) as one:
        with pytest.raises(ConfigError, match="can't listen there"):
            async with site(tmp_path, made, port=int(one.address.rpartition(":")[2])):
                pass
