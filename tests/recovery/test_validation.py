"""Each kind of validation against the real thing: HTTP, TCP, Prometheus, programs."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from selfheal.clock import SystemClock
from selfheal.model import PlaybookResult, StepState, Validation, ValidationResult
from selfheal.recovery.validation import ProbeContext, validate
from tests.servers.base import free_port, require
from tests.servers.prometheus import Prometheus

from .helpers import alive, eventually


async def once(
    kind: str,
    args: Mapping[str, Any],
    variables: Mapping[str, Any] | None = None,
    context: ProbeContext | None = None,
    **kwargs: Any,
) -> ValidationResult:
    """Look once (unless `within` is given) and return what was seen."""
    validation = Validation(kind, args, **{"within": 0.0, **kwargs})
    return await validate(validation, variables or {}, context or ProbeContext(), SystemClock())


# http


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A small HTTP service; returns its URL."""

    async def health(request: web.Request) -> web.Response:
        body = {"state": "up", "nodes": [{"ok": True}], "agent": request.headers.get("X-Probe")}
        return web.json_response(body)

    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPFound("/health")

    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=503, text="not today")

    app = web.Application()
    app.router.add_get("/health", health)
    app.router.add_get("/moved", moved)
    app.router.add_post("/broken", broken)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("args", "ok", "detail"),
    [
        ({}, True, "status 200"),
        ({"status": "200"}, True, "status 200"),
        ({"status": [204, 503]}, False, "status 200, not 204 or 503"),
        ({"contains": '"up"'}, True, "status 200"),
        ({"contains": "down"}, False, "status 200, but the body does not contain 'down'"),
        ({"regex": r'state": "u\w'}, True, "status 200"),
        ({"regex": "^up"}, False, "status 200, but the body does not match '^up'"),
        ({"json": {"state": "up", "nodes.0.ok": True}}, True, "status 200"),
        ({"json": {"nodes.1.ok": True}}, False, "status 200, but the JSON has no nodes.1.ok"),
        ({"json": {"state": "idle"}}, False, "status 200, but state is 'up', not 'idle'"),
        ({"headers": {"X-Probe": "me"}, "json": {"agent": "me"}}, True, "status 200"),
        ({"url": "{{ site }}/moved"}, False, "status 302, not 200"),
        ({"url": "{{ site }}/moved", "follow_redirects": True}, True, "status 200"),
        ({"url": "{{ site }}/broken", "method": "POST", "status": 503}, True, "status 503"),
    ],
)
async def test_http(site: str, args: dict[str, Any], ok: bool, detail: str) -> None:
    """Status, body, JSON, headers, method and redirects are looked at; the detail says what."""
    result = await once("http", {"url": "{{ site }}/health", **args}, {"site": site})
    assert (result.ok, result.detail.partition("; last seen: ")[2] or result.detail) == (ok, detail)
    assert result.name.startswith(f"http {site}/")
    assert result.tries == 1


async def test_http_of_a_dead_service_says_so() -> None:
    """A refused connection is what was seen."""
    result = await once("http", {"url": f"http://127.0.0.1:{free_port()}/"})
    assert not result.ok
    assert "Cannot connect" in result.detail


async def test_http_proves_a_service_that_comes_back() -> None:
    """The service starts while we look: proven after stable_for, with what was seen last."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    looking = asyncio.create_task(
        once("http", {"url": url, "status": 404}, within=20.0, stable_for=0.3, interval=0.05)
    )
    await asyncio.sleep(0.1)
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    result = await looking
    await runner.cleanup()
    assert (result.ok, result.detail) == (True, "status 404, held for 0.3s")
    assert result.tries > 1
    assert result.ended_at - result.started_at >= 0.3


async def test_http_checks_the_certificate(tmp_path: Path) -> None:
    """An unknown certificate does not hold, unless its CA is named or checking is off."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [require("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *files, *subject], check=True, capture_output=True)  # noqa: ASYNC221  # before anything runs
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    runner = web.AppRunner(web.Application())
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    args = {"url": f"https://127.0.0.1:{port}/", "status": 404}
    strict = await once("http", args)
    trusting = await once("http", {**args, "verify": False})
    named = await once("http", {**args, "ca": str(certificate)})
    await runner.cleanup()
    assert (strict.ok, trusting.ok, named.ok) == (False, True, True)
    assert "certificate" in strict.detail


# tcp


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """A TCP service that greets and answers PING; returns its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline() == b"PING\r\n":
            writer.write(b"+PO")
            await writer.drain()
            writer.write(b"NG\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_tcp(echo: int) -> None:
    """A connection is enough, unless an answer is expected; a closed port does not hold."""
    connected = await once("tcp", {"host": "127.0.0.1", "port": echo})
    assert (connected.ok, connected.detail) == (True, "connected")
    assert connected.name == f"tcp 127.0.0.1:{echo}"
    address = {"address": "{{ target }}"}
    variables = {"target": f"127.0.0.1:{echo}"}
    pong = await once("tcp", {**address, "send": "PING\r\n", "expect": r"^\+PONG"}, variables)
    assert (pong.ok, pong.detail) == (True, "answered '+PONG'")
    other = await once("tcp", {**address, "send": "HELO\r\n", "expect": "PONG"}, variables)
    assert (other.ok, other.tries) == (False, 1)
    refused = await once("tcp", {"host": "127.0.0.1", "port": free_port()})
    assert not refused.ok


async def test_tcp_to_a_silent_service_is_given_up(echo: int) -> None:
    """A service that takes the connection and says nothing does not hold."""
    result = await once("tcp", {"host": "127.0.0.1", "port": echo, "expect": "hello"}, timeout=0.2)
    assert not result.ok
    assert "no answer within 0.2s" in result.detail


# promql


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus that watches itself and a port nobody listens on."""
    port = free_port()
    jobs = {"self": [f"127.0.0.1:{port}"], "gone": [f"127.0.0.1:{free_port()}"]}
    folder = tmp_path_factory.mktemp("prometheus")
    with Prometheus(folder, jobs, interval="100ms", port=port) as server:
        yield server


async def _scraped(prometheus: Prometheus) -> None:
    await once(
        "promql", {"url": prometheus.url, "expr": "count(up) == 2"}, within=20.0, interval=0.1
    )


@pytest.mark.parametrize(
    ("args", "ok", "detail"),
    [
        ({"expr": 'up{job="self"} == 1'}, True, "self} 1"),
        ({"expr": 'up{job="gone"} == 1'}, False, "the query returned nothing"),
        ({"expr": "up == 0"}, True, "gone} 0"),
        ({"expr": 'up{job="{{ job }}"}', "op": "==", "value": 1}, True, "self} 1"),
        ({"expr": "up", "op": ">=", "value": "1"}, False, "0, not >= 1"),
        ({"expr": "scalar(sum(up))", "op": "<", "value": 2}, True, "1"),
        ({"expr": "1 == bool 2"}, False, "0"),
        ({"expr": 'scalar(up{job="no"})'}, False, "not a number"),
        ({"expr": 'scalar(up{job="no"})', "op": "!=", "value": 0}, False, "not a number"),
        ({"expr": "up / 0 * 0"}, False, "not a number"),
        ({"expr": "up / 0 * 0", "op": "!=", "value": 0}, False, "not a number"),
        ({"expr": "up", "op": "!=", "value": "nan"}, False, "nothing compares with NaN"),
        ({"expr": "nonsense("}, False, "parse error"),
        ({"expr": "up", "op": "=="}, False, "op and value go together"),
    ],
)
async def test_promql(prometheus: Prometheus, args: dict[str, Any], ok: bool, detail: str) -> None:
    """A filled vector holds, or every sample compares; NaN and a wrong query say what is wrong."""
    await _scraped(prometheus)
    context = ProbeContext(prometheus_url=prometheus.url)
    result = await once("promql", args, {"job": "self"}, context)
    assert result.ok is ok
    assert detail in result.detail


async def test_promql_without_prometheus() -> None:
    """Nobody to ask, or nobody answering, is not a proof."""
    nobody = await once("promql", {"expr": "up"})
    assert "no Prometheus to ask: give url" in nobody.detail
    dead = await once("promql", {"expr": "up", "url": f"http://127.0.0.1:{free_port()}"})
    assert not dead.ok
    assert "refused" in dead.detail


async def test_a_prometheus_that_hangs_holds_nobody_up() -> None:
    """Its tries take none of the engine's threads, and give their own back at their time limit."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    nobody = {"expr": "up", "url": f"http://127.0.0.1:{free_port()}"}
    await once("promql", nobody, timeout=60.0)  # the client is slow to import
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        args = {"expr": "up", "url": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        hung = asyncio.gather(*(once("promql", args, timeout=3.0) for _ in range(20)))
        connection, _ = await asyncio.wait_for(loop.sock_accept(silent), 10)
        with connection:
            assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 1.5) == "free"
            assert not any(result.ok for result in await hung)
            assert "refused" in (await once("promql", nobody, timeout=5.0)).detail


# command


async def test_command() -> None:
    """Exit code and output count; one string is split like a shell would, and no shell runs it."""
    ok = await once("command", {"argv": ["printf", "one\\ntwo\\n"], "regex": "^one"})
    assert (ok.ok, ok.detail) == (True, "rc 0: two")
    assert ok.name == "command printf 'one\\ntwo\\n'"
    wrong = await once("command", {"argv": ["sh", "-c", "echo no; exit 3"]})
    assert wrong.detail.endswith("rc 3, not 0: no")
    wanted = await once("command", {"argv": "sh -c 'echo no; exit 3'", "rc": 3})
    assert wanted.ok
    other = await once("command", {"argv": "echo one", "regex": "two"})
    assert not other.ok
    number = await once("command", {"argv": ["echo", "{{ port }}"]}, {"port": 6379})
    assert (number.ok, number.detail) == (True, "rc 0: 6379")
    missing = await once("command", {"argv": "no-such-program --help"})
    assert (missing.ok, "no-such-program" in missing.detail) == (False, True)


async def test_event_data_stays_one_word_of_a_command(tmp_path: Path) -> None:
    """A hostile value can neither add arguments nor reach a shell."""
    evil = f"x; touch {tmp_path}/pwned --flag $(touch {tmp_path}/pwned)"
    result = await once("command", {"argv": "printf '<%s>' {{ target }}"}, {"target": evil})
    assert (result.ok, result.detail) == (True, f"rc 0: <{evil}>")
    assert not (tmp_path / "pwned").exists()


async def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """At the time limit of the try the whole process group is gone."""
    script = f"sleep 3600 & echo $! > {tmp_path}/child; wait"
    result = await once("command", {"argv": ["sh", "-c", script]}, timeout=0.5)
    assert "no answer within 0.5s" in result.detail
    child = int((tmp_path / "child").read_text())
    await eventually(lambda: not alive(child))
    assert os.path.exists(tmp_path / "child")  # noqa: ASYNC240  # a local fact


# playbook, event, and what is no validation


async def test_playbook_and_event() -> None:
    """Both ask the engine through the context."""
    asked: list[tuple[str, Mapping[str, Any], str]] = []

    async def run(playbook: str, variables: Mapping[str, Any], limit: str) -> PlaybookResult:
        asked.append((playbook, variables, limit))
        state = StepState.SUCCESSFUL if playbook == "good.yml" else StepState.FAILED
        return PlaybookResult("st-1", state, 0, 0.0, 1.0, message="web1: boom")

    context = ProbeContext(run_playbook=run, fault_resolved=lambda: True)
    args = {"name": "good.yml", "vars": {"x": "{{ target }}"}, "limit": "{{ target }}"}
    good = await once("playbook", args, {"target": "web1"}, context)
    assert (good.ok, good.name, asked) == (
        True,
        "playbook good.yml",
        [("good.yml", {"x": "web1"}, "web1")],
    )
    bad = await once("playbook", {"name": "bad.yml"}, {}, context)
    assert bad.detail.endswith("failed: web1: boom")
    assert (await once("event", {}, {}, context)).ok
    assert not (await once("event", {})).ok


@pytest.mark.parametrize(
    ("kind", "args", "detail"),
    [
        ("magic", {}, "there is no validation 'magic'"),
        ("http", {"url": "{{ nothing }}"}, "'nothing' is undefined"),
        ("http", {"url": "ftp://x"}, "url: Value error, must begin with http:// or https://"),
        ("http", {"url": "http://x", "stat": 1}, "stat: unknown key"),
        ("tcp", {"host": "x"}, "Value error, give host and port, or address as host:port"),
        ("command", {}, "argv: Field required"),
        ("command", {"argv": "echo it's"}, "No closing quotation"),
    ],
)
async def test_what_cannot_be_understood_does_not_hold(
    kind: str, args: dict[str, Any], detail: str
) -> None:
    """A wrong validation is reported and never tried."""
    result = await once(kind, args)
    assert (result.ok, result.tries) == (False, 0)
    assert detail in result.detail
