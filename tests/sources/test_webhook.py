"""The webhook source under a real HTTP client."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import io
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from selfheal.errors import SourceError, StoreError
from selfheal.model import SourceSpec
from selfheal.sources import EventLimits, ReportKind, load_source, run_source
from tests.servers import free_port
from tests.servers.base import listens
from tests.sources.certificates import Certificate, authority, issued
from tests.sources.support import Run, running, until


class Hook:
    """A running webhook and a client for it."""

    def __init__(self, run: Run, session: aiohttp.ClientSession, port: int, scheme: str) -> None:
        self.run = run
        self.session = session
        self.url = f"{scheme}://127.0.0.1:{port}"

    async def post(self, body: Any, path: str = "/endpoint", **options: Any) -> tuple[int, str]:
        data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        async with self.session.post(self.url + path, data=data, **options) as answer:
            return answer.status, await answer.text()


@contextlib.asynccontextmanager
async def webhook(
    source: str = "webhook", limits: EventLimits | None = None, **args: Any
) -> AsyncIterator[Hook]:
    port = free_port()
    scheme = "https" if "certfile" in args else "http"
    async with (
        running(source, {"port": port, **args}, limits=limits or EventLimits()) as run,
        aiohttp.ClientSession() as session,
    ):
        await until(lambda: run.task.done() or listens(port))
        yield Hook(run, session, port, scheme)


async def test_an_event_of_each_post() -> None:
    """Body, path and headers are in the event, header names as they were sent."""
    async with webhook() as hook:
        headers = {"X-GitHub-Event": "push", "Authorization": "Bearer xxxx", "Cookie": "a=b"}
        assert await hook.post({"a": 1}, "/some/where", headers=headers) == (200, "some/where")
        event = await hook.run.event()
    assert event["payload"] == {"a": 1}
    assert event["meta"]["endpoint"] == "some/where"
    assert event["meta"]["headers"]["X-GitHub-Event"] == "push"
    assert not {"Authorization", "Cookie"} & set(event["meta"]["headers"])


async def test_any_json_is_a_payload() -> None:
    """A list or a bare value is a payload too, an empty key no reason to stop."""
    async with webhook(source="eda.builtin.webhook") as hook:
        for body in ([1, 2], "text", None, {"": 1}):
            assert (await hook.post(body))[0] == 200
            assert (await hook.run.event())["payload"] == body


async def test_the_answer_waits_for_the_engine() -> None:
    """200 comes only after the engine has taken the event in; until then the sender waits."""

    class Slow:
        def __init__(self) -> None:
            self.gate = asyncio.Event()
            self.came = asyncio.Event()

        async def put(self, event: Any) -> None:
            self.came.set()
            await self.gate.wait()

    slow, port = Slow(), free_port()
    spec = SourceSpec("webhook", "webhook", {"port": port})
    task = asyncio.create_task(run_source(spec, load_source("webhook"), slow))
    await until(lambda: listens(port))
    async with aiohttp.ClientSession() as session:
        hook = Hook(Run(), session, port, "http")
        posting = asyncio.create_task(hook.post({"a": 1}))
        await slow.came.wait()
        done, _ = await asyncio.wait({posting}, timeout=0.2)
        assert not done
        slow.gate.set()
        assert (await posting)[0] == 200
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_engine_that_cannot_take_events_says_503() -> None:
    """The sender is told to come again, and the next event is taken."""

    class Full:
        def __init__(self) -> None:
            self.full = True
            self.events: list[Any] = []

        async def put(self, event: Any) -> None:
            if self.full:
                raise StoreError("disk full")
            self.events.append(event)

    full, port = Full(), free_port()
    spec = SourceSpec("webhook", "webhook", {"port": port})
    task = asyncio.create_task(run_source(spec, load_source("webhook"), full))
    await until(lambda: listens(port))
    async with aiohttp.ClientSession() as session:
        hook = Hook(Run(), session, port, "http")
        assert await hook.post({"a": 1}) == (503, "try again\n")
        full.full = False
        assert (await hook.post({"a": 2}))[0] == 200
    assert [event["payload"] for event in full.events] == [{"a": 2}]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{not json", 400, "not JSON"),
        (b'{"a": "\xff"}', 400, "not UTF-8"),
        (deep(100), 400, "nested deeper"),
        (b"[" * 100_000, 400, "nested deeper"),
        (b'{"a": NaN}', 400, "holds NaN"),
        (b'{"a": "\\udfff"}', 400, "surrogate"),
        (b"", 400, "not JSON"),
    ],
)
async def test_hostile_bodies(body: bytes, status: int, words: str) -> None:
    """Each hostile body has one clear answer, nothing of it is kept, and the next post works."""
    async with webhook() as hook:
        answer = await hook.post(body)
        assert (answer[0], words in answer[1]) == (status, True), answer
        assert (await hook.post({"good": 1}))[0] == 200
        assert (await hook.run.event())["payload"] == {"good": 1}
        assert hook.run.queue.empty()


@pytest.mark.parametrize("chunked", [False, True], ids=["length given", "chunked"])
async def test_ten_megabytes_are_too_large(chunked: bool) -> None:
    """A 10 MB event is answered 413 whether or not its length was announced."""
    body = b'{"a": "' + b"x" * 10_000_000 + b'"}'

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1_000_000):
            yield body[start : start + 1_000_000]

    async with webhook() as hook:
        # A server that stops reading may also cut the sender off in the middle of its body.
        with contextlib.suppress(aiohttp.ClientOSError):
            data = pieces() if chunked else io.BytesIO(body)
            async with hook.session.post(hook.url, data=data) as answer:
                assert answer.status == 413
        assert (await hook.post({"good": 1}))[0] == 200
        assert (await hook.run.event())["payload"] == {"good": 1}


async def test_the_limit_can_be_set() -> None:
    """10 MB is the default: the engine may take more, one webhook less."""
    async with webhook() as hook:
        assert (await hook.post({"a": "x" * 9_900_000}))[0] == 200
    async with webhook(limits=EventLimits(max_bytes=13_000_000)) as hook:
        assert (await hook.post({"a": "x" * 12_000_000}))[0] == 200
    async with webhook(max_body=100) as hook:
        assert (await hook.post({"a": "x" * 100}))[0] == 413


async def test_a_body_that_never_ends_is_given_up() -> None:
    """A sender that stalls is answered 408 and does not hold a place."""
    async with webhook(body_timeout="100ms", max_requests=1) as hook:
        port = int(hook.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert b"408" in await asyncio.wait_for(reader.readline(), 20)
        assert (await hook.post({"good": 1}))[0] == 200
        writer.close()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("Bearer wrong", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
        ("Bearer", 401),
        ("Bearer s3cr\u00e9t", 401),
        (None, 401),
    ],
)
async def test_token(header: str | None, status: int) -> None:
    """Only the right bearer token is let in."""
    headers = {"Authorization": header} if header else {}
    async with webhook(token="s3cret") as hook:
        assert (await hook.post({"a": 1}, headers=headers))[0] == status
        assert hook.run.queue.qsize() == (1 if status == 200 else 0)


async def test_a_token_may_be_a_number_in_yaml() -> None:
    """`token: 12345` is the text 12345."""
    async with webhook(token=12345) as hook:
        assert (await hook.post({}, headers={"Authorization": "Bearer 12345"}))[0] == 200


def signature(secret: str, body: bytes, algo: str, form: str) -> str:
    digest = hmac.new(secret.encode(), body, algo).digest()
    return base64.b64encode(digest).decode() if form == "base64" else digest.hex()


@pytest.mark.parametrize("algo", ["sha256", "sha1", "sha512"])
@pytest.mark.parametrize("form", ["hex", "base64"])
@pytest.mark.parametrize("prefixed", [True, False])
async def test_hmac(algo: str, form: str, prefixed: bool) -> None:
    """A signed body is let in, with and without `<algo>=` before the signature."""
    args: dict[str, Any] = {
        "hmac_secret": "signing",
        "hmac_algo": algo,
        "hmac_format": form,
        "hmac_header": "X-Sign",
    }
    body = '{"name": "Zoë"}'.encode()
    value = signature("signing", body, algo, form)
    async with webhook(**args) as hook:
        headers = {"X-Sign": f"{algo}={value}" if prefixed else value}
        assert (await hook.post(body, headers=headers))[0] == 200
        assert (await hook.post(body + b" ", headers=headers))[0] == 401
        assert (await hook.post(body))[0] == 401
        assert hook.run.queue.qsize() == 1


async def test_hmac_as_github_signs() -> None:
    """The defaults are GitHub's: sha256, hexadecimal, x-hub-signature-256."""
    body = b'{"a": 1}'
    value = "sha256=" + hmac.new(b"signing", body, hashlib.sha256).hexdigest()
    async with webhook(hmac_secret="signing") as hook:
        assert (await hook.post(body, headers={"X-Hub-Signature-256": value}))[0] == 200


async def test_tls(tmp_path: Path) -> None:
    """With a certificate the server speaks TLS, and only TLS."""
    ca = authority(tmp_path)
    server = issued(ca, tmp_path, "server")
    async with webhook(certfile=str(server.cert), keyfile=str(server.key)) as hook:
        trusting = ssl.create_default_context(cafile=str(ca.cert))
        assert (await hook.post({"a": 1}, ssl=trusting))[0] == 200
        with pytest.raises(aiohttp.ClientError):
            await hook.post({"a": 1}, ssl=ssl.create_default_context())
        hook.url = hook.url.replace("https", "http")
        with pytest.raises(aiohttp.ClientError):
            await hook.post({"a": 1})


async def test_client_certificates(tmp_path: Path) -> None:
    """With `cafile` only clients with a certificate of that authority are let in."""
    ca = authority(tmp_path)
    server, client = issued(ca, tmp_path, "server"), issued(ca, tmp_path, "client")
    stranger = issued(authority(tmp_path / ".."), tmp_path, "stranger")
    files = {"certfile": server.cert, "keyfile": server.key, "cafile": ca.cert}
    args: dict[str, Any] = {key: str(file) for key, file in files.items()}
    async with webhook(**args) as hook:
        assert (await hook.post({"a": 1}, ssl=_as_client(ca, client)))[0] == 200
        for nobody in (stranger, None):
            with pytest.raises((aiohttp.ClientError, OSError)):
                await hook.post({"a": 1}, ssl=_as_client(ca, nobody))
        assert hook.run.queue.qsize() == 1


def _as_client(ca: Certificate, own: Certificate | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca.cert))
    if own is not None:
        context.load_cert_chain(own.cert, own.key)
    return context


async def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    """A missing or broken certificate ends the source with its name, instead of a restart loop."""
    with pytest.raises(SourceError, match="source webhook: certificates can't be used"):
        async with webhook(certfile=str(tmp_path / "none.pem")) as hook:
            await hook.run.end()


async def test_a_taken_port_is_tried_again() -> None:
    """A port in use is reported, and the source comes up once it is free."""
    async with webhook() as first:
        port = int(first.url.rpartition(":")[2])
        async with running("webhook", {"port": port}) as second:
            assert "address already in use" in (await second.report(ReportKind.FAILED)).text
            first.run.task.cancel()
            await asyncio.gather(first.run.task, return_exceptions=True)
            first.run.task = asyncio.create_task(asyncio.sleep(0))  # type: ignore[arg-type]  # it is over
            await until(lambda: listens(port))
            assert (await first.post({"a": 1}))[0] == 200
            assert (await second.event())["payload"] == {"a": 1}


async def test_loopback_unless_told_otherwise() -> None:
    """Without `host` nobody outside this machine can reach the webhook."""
    async with webhook() as hook:
        port = int(hook.url.rpartition(":")[2])
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.2", port)


async def test_status() -> None:
    """GET / says that it is up; other methods are not allowed."""
    async with webhook() as hook:
        async with hook.session.get(hook.url) as answer:
            assert (answer.status, await answer.text()) == (200, "up")
        async with hook.session.put(hook.url) as answer:
            assert answer.status == 405
