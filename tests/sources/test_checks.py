"""http_check, tcp_check and url_check against real servers that die and come back."""

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from selfheal.clock import SystemClock
from selfheal.sources.builtin.tcp_check import Args as TcpArgs
from selfheal.sources.checks import Target, watch
from tests.servers import free_port
from tests.servers.base import listens
from tests.sources.certificates import authority, issued
from tests.sources.support import running, until

FAST = {"interval": "50ms", "timeout": "2s", "unhealthy_after": 2, "healthy_after": 2, "jitter": 0}


class Site:
    """A real HTTP server on one port, in a thread and event loop of its own."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        self.status = 200
        self.body = "all is well"
        self.hang = False
        self.connections: set[Any] = set()
        self.paths: set[str] = set()
        self.requests = 0
        self.headers: dict[str, str] = {}
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    async def _answer(self, request: web.Request) -> web.Response:
        self.connections.add(request.transport)
        self.paths.add(request.path)
        self.requests += 1
        self.headers = dict(request.headers)
        if self.hang:
            await asyncio.sleep(3600)
        if request.path == "/moved":
            raise web.HTTPFound("/")
        return web.Response(status=self.status, text=self.body)

    async def _run(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0, access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=self._tls).start()
        await self._stop.wait()
        await runner.cleanup()

    def __enter__(self) -> "Site":
        self._thread.start()
        while not listens(self.port):
            time.sleep(0.01)
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port and every connection; harmless when that was done."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(20)
            self._loop.close()


@pytest.fixture
def site() -> Iterator[Site]:
    with Site(free_port()) as site:
        yield site


async def test_a_server_that_dies_and_comes_back() -> None:
    """One event when it goes down, one when it is back, none in between."""
    port = free_port()
    args = {**FAST, "urls": [f"http://127.0.0.1:{port}"], "component": "backend"}
    async with running("selfheal.http_check", {**args, "interval": "100ms"}) as run:
        with Site(port) as site:
            # Two good answers make it up; the second one is over when the third is asked for.
            await until(lambda: site.requests >= 3)
        down = await run.event()
        with Site(port):
            up = await run.event()
            assert run.queue.empty()
    assert down["check"].pop("latency") < 1
    assert down == {
        "check": {
            "kind": "http",
            "target": f"http://127.0.0.1:{port}",
            "status": "down",
            "reason": "connection refused",
            "failures": 2,
            "component": "backend",
        },
        "meta": {"hosts": ["127.0.0.1"]},
    }
    assert (up["check"]["status"], up["check"]["failures"]) == ("up", 0)


async def test_first_unhealthy_is_told_first_healthy_not(site: Site) -> None:
    """A target that was never up is told as down; one that is well from the start is not told."""
    dead = f"http://127.0.0.1:{free_port()}"
    async with running("selfheal.http_check", {**FAST, "urls": [site.url, dead]}) as run:
        event = await run.event()
        assert (event["check"]["target"], event["check"]["status"]) == (dead, "down")
        site.status = 503
        assert (await run.event())["check"]["target"] == site.url


async def test_connections_are_kept_open(site: Site) -> None:
    """A healthy target is probed over one connection."""
    async with running(
        "selfheal.http_check", {**FAST, "interval": "5ms", "urls": [site.url], "every": True}
    ) as run:
        for _ in range(20):
            assert (await run.event())["check"]["status"] == "up"
    assert len(site.connections) == 1


@pytest.mark.parametrize(
    ("args", "path", "status", "reason"),
    [
        ({}, "/", 503, "status 503"),
        ({"status": 404}, "/", 200, "status 200"),
        ({"status": [200, 404]}, "/", 500, "status 500"),
        ({"body": "all is (bad|lost)"}, "/", 200, "body doesn't match 'all is (bad|lost)'"),
        ({"follow_redirects": False}, "/moved", 200, "status 302"),
        ({"method": "PUT"}, "/", 200, "status 405"),
    ],
)
async def test_wrong_answers(
    site: Site, args: dict[str, Any], path: str, status: int, reason: str
) -> None:
    """Status, body and redirects that are not as expected make a target unhealthy."""
    site.status = status
    given = {**FAST, "urls": [site.url + path], **args}
    async with running("selfheal.http_check", given) as run:
        assert (await run.event())["check"]["reason"] == reason


async def test_right_answers(site: Site) -> None:
    """Expected statuses and bodies, redirects followed, and headers sent, are healthy."""
    site.status = 404
    given = {
        **FAST,
        "urls": [site.url + "/moved"],
        "status": [404],
        "body": "w[e]ll",
        "every": True,
    }
    given["headers"] = {"X-Probe": "selfheal"}
    async with running("selfheal.http_check", given) as run:
        assert (await run.event())["check"]["status"] == "up"
    assert site.headers["X-Probe"] == "selfheal"


async def test_a_hanging_server_is_down_after_the_timeout(site: Site) -> None:
    """No answer in time is unhealthy, and the reason says so."""
    site.hang = True
    async with running(
        "selfheal.http_check", {**FAST, "timeout": "200ms", "urls": [site.url]}
    ) as run:
        check = (await run.event())["check"]
    assert check["reason"] == "no answer within 0.2s"
    assert check["latency"] >= 0.2


async def test_tls(tmp_path: Path) -> None:
    """A certificate nobody vouches for is unhealthy, unless the rulebook says not to look."""
    server = issued(authority(tmp_path), tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.cert, server.key)
    with Site(free_port(), context) as site:
        async with running("selfheal.http_check", {**FAST, "urls": [site.url]}) as run:
            assert (await run.event())["check"]["reason"].startswith("TLS: ")
        args = {**FAST, "urls": [site.url], "verify_tls": False, "every": True}
        async with running("selfheal.http_check", args) as run:
            assert (await run.event())["check"]["status"] == "up"


async def test_targets_with_their_own_component_and_hosts(site: Site) -> None:
    """An entry may name its component and the inventory hosts it means."""
    target = {"target": "http://no-such-host.invalid/", "component": "db", "hosts": ["db1", "db2"]}
    async with running("selfheal.http_check", {**FAST, "urls": [target]}) as run:
        event = await run.event()
    assert event["check"]["component"] == "db"
    assert event["check"]["reason"] == "name can't be resolved"
    assert event["meta"] == {"hosts": ["db1", "db2"]}


async def test_300_targets_at_200_ms(site: Site) -> None:
    """300 URLs, each probed five times a second: all are told down when the server dies, and no
    failure is invented before."""
    urls = [f"{site.url}/{number}" for number in range(300)]
    args = {**FAST, "interval": "200ms", "urls": urls}
    async with running("selfheal.http_check", args) as run:
        await until(lambda: len(site.paths) == 300)
        rounds = site.requests + 5 * 300
        await until(lambda: site.requests >= rounds)
        assert run.queue.empty()
        died = time.monotonic()
        await asyncio.to_thread(site.stop)
        down = {(await run.event())["check"]["target"] for _ in urls}
        took = time.monotonic() - died
    assert down == set(urls)
    assert took < 5


@contextlib.asynccontextmanager
async def tcp_server(port: int) -> AsyncIterator[None]:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", port)
    async with server:
        yield


async def test_tcp_check() -> None:
    """A port that closes and opens again is told twice."""
    port = free_port()
    args = {**FAST, "targets": [f"127.0.0.1:{port}"]}
    async with running("selfheal.tcp_check", args) as run:
        check = (await run.event())["check"]
        assert (check["kind"], check["status"], check["reason"]) == (
            "tcp", "down", "connection refused"
        )  # fmt: skip
        async with tcp_server(port):
            event = await run.event()
            assert event["check"]["status"] == "up"
            assert event["meta"]["hosts"] == ["127.0.0.1"]
        assert (await run.event())["check"]["status"] == "down"


async def test_timeouts_of_an_overloaded_prober_are_not_believed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While this process itself is late, a timeout is no failure; the log says so once a minute."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    args = TcpArgs.model_validate(
        {**FAST, "targets": ["127.0.0.1:1"], "timeout": "100ms", "every": True}
    )

    async def never(target: Target) -> str:
        time.sleep(0.3)  # noqa: ASYNC251 -- blocking the loop is the point
        await asyncio.sleep(3600)
        return ""

    target = Target(target="127.0.0.1:1")
    watching = asyncio.create_task(watch(queue, "tcp", args, [target], never, SystemClock()))
    for _ in range(4):
        check = (await asyncio.wait_for(queue.get(), 20))["check"]
        assert (check["status"], check["failures"]) == ("unknown", 0)
        assert "overloaded" in check["reason"]
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert len([record for record in caplog.records if "overloaded" in record.message]) == 1


async def test_url_check(site: Site) -> None:
    """An event for each URL at each turn, as ansible.eda writes it."""
    dead = f"http://127.0.0.1:{free_port()}"
    args = {"urls": [site.url, dead], "delay": "10ms"}
    async with running("ansible.eda.url_check", args) as run:
        first, second = await run.event(), await run.event()
        assert first == {"url_check": {"url": site.url, "status": "up", "status_code": 200}}
        assert (second["url_check"]["url"], second["url_check"]["status"]) == (dead, "down")
        assert second["url_check"]["error_msg"]
        site.status = 500
        while (await run.event())["url_check"].get("status_code") != 500:
            pass


async def test_url_check_survives_silence(site: Site) -> None:
    """A server that never answers is down for this turn."""
    site.hang = True
    args = {"urls": [site.url], "timeout": "100ms"}
    async with running("url_check", args) as run:
        answer = (await run.event())["url_check"]
    assert answer == {"url": site.url, "status": "down", "error_msg": "no answer within 0.1s"}
