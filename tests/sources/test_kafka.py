"""The kafka source, as far as it goes without a broker: Debian has none, so there is none here.

What a broker would send is played by records of aiokafka's own type; that the source can talk to a
real broker is not tested.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from selfheal.ports import JSON
from selfheal.sources import ReportKind
from selfheal.sources.builtin.kafka import Args, _consumer_arguments, _take
from tests.servers import free_port
from tests.sources.certificates import authority, issued
from tests.sources.support import need_module, refused, running

BROKER = {"host": "127.0.0.1", "port": "9092", "topic": "events"}


def arguments(**more: Any) -> dict[str, Any]:
    return _consumer_arguments(Args.model_validate({**BROKER, **more}))


async def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without aiokafka the message says which extra brings it."""
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    assert "pip install 'selfheal[kafka]'" in await refused("kafka", BROKER)


async def test_no_broker() -> None:
    """A broker that is not there is reported and tried again."""
    need_module("aiokafka")
    async with running("ansible.eda.kafka", {**BROKER, "port": free_port()}) as run:
        assert "KafkaConnectionError" in (await run.report(ReportKind.FAILED)).text


def test_consumer_arguments() -> None:
    """Nothing is marked as read before the event is taken in; the rest is as the rulebook says."""
    given = arguments(group_id="g", offset="earliest")
    assert given["bootstrap_servers"] == "127.0.0.1:9092"
    assert (given["group_id"], given["auto_offset_reset"]) == ("g", "earliest")
    assert given["enable_auto_commit"] is False
    assert (given["security_protocol"], given["ssl_context"]) == ("PLAINTEXT", None)


def test_tls(tmp_path: Path) -> None:
    """A CA file means TLS, SASL over plain text becomes SASL over TLS."""
    ca = authority(tmp_path)
    own = issued(ca, tmp_path, "client")
    files = {"cafile": str(ca.cert), "certfile": str(own.cert), "keyfile": str(own.key)}
    given = arguments(**files, security_protocol="SASL_PLAINTEXT", sasl_plain_password="s3cret")
    assert given["security_protocol"] == "SASL_SSL"
    assert given["ssl_context"].check_hostname
    assert given["sasl_plain_password"] == "s3cret"
    assert not arguments(**files, verify_mode="CERT_NONE")["ssl_context"].check_hostname


async def test_bad_certificates(tmp_path: Path) -> None:
    """Certificates that can't be read end the source with a clear message."""
    need_module("aiokafka")
    message = await refused("kafka", {**BROKER, "cafile": str(tmp_path / "none.pem")})
    assert "certificates can't be used" in message


@pytest.mark.parametrize(
    ("key", "value", "headers", "expected"),
    [
        (b'{"k": 1}', b'{"a": 1}', (),
         {"body": {"a": 1}, "meta": {"headers": {}, "key": {"k": 1}}}),
        (b"k", b"text", [("h", b"v")],
         {"body": "text", "meta": {"headers": {"h": "v"}, "key": "k"}}),
        (None, b'"x"', (), {"body": "x", "meta": {"headers": {}}}),
        (None, None, (), None),
        (None, b"\xff", (), None),
        (None, b"[" * 200_000, (), None),
    ],
)  # fmt: skip
async def test_messages(key: Any, value: Any, headers: Any, expected: Any) -> None:
    """JSON is taken apart, text stays text; a tombstone and what can't be read are no events."""
    structs = need_module("aiokafka.structs")
    record = structs.ConsumerRecord("events", 0, 0, 0, 0, key, value, None, 0, 0, headers)
    queue: asyncio.Queue[JSON] = asyncio.Queue()
    await _take(queue, record, "utf-8")
    assert (None if queue.empty() else queue.get_nowait()) == expected
