from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from selfheal.config import Notify, SmtpTarget, WebhookTarget
from selfheal.model import Kind
from selfheal.notification import build_notifier
from selfheal.store import open_record


@pytest.fixture
def record():
    opened = open_record(":memory:")
    yield opened
    opened.close()


async def serve_webhook(status: int) -> tuple[web.AppRunner, str, list[dict]]:
    heard: list[dict] = []

    async def take(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/hook", heard


async def serve_smtp(mails: list[str]) -> tuple[asyncio.Server, int]:
    """A mail server that speaks just enough SMTP to take one mail."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        text: list[str] | None = None
        while line := await reader.readline():
            word = line.decode().strip()
            if text is not None:
                if word == ".":
                    mails.append("\n".join(text))
                    text = None
                    writer.write(b"250 ok\r\n")
                else:
                    text.append(word)
            elif word.upper() == "DATA":
                text = []
                writer.write(b"354 go\r\n")
            elif word.upper() == "QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_a_webhook_gets_the_evidence(record) -> None:
    """The configured webhook is posted subject, body and data."""
    runner, url, heard = await serve_webhook(200)
    notifier = build_notifier(Notify(webhooks=[WebhookTarget(url=url)]), record)
    await notifier.notify("redis full", "the evidence", {"incident_id": "in-1"})
    await notifier.drain()
    await runner.cleanup()
    assert heard == [
        {
            "text": "redis full\nthe evidence",
            "subject": "redis full",
            "body": "the evidence",
            "data": {"incident_id": "in-1"},
        }
    ]


async def test_a_mail_server_gets_one_mail_whose_subject_is_one_line(record) -> None:
    """The mail carries the evidence, and a line break in the subject can't add headers."""
    mails: list[str] = []
    server, port = await serve_smtp(mails)
    target = SmtpTarget(host="127.0.0.1", port=port, sender="a@example.org", to=["b@example.org"])
    notifier = build_notifier(Notify(smtp=[target]), record)
    await notifier.notify("redis\nBcc: evil@example.org", "the evidence", {})
    await notifier.drain()
    server.close()
    await server.wait_closed()
    assert "Subject: [selfheal] redis Bcc: evil@example.org" in mails[0].splitlines()
    assert "the evidence" in mails[0]


async def test_one_dead_target_never_silences_another(record) -> None:
    """When one target refuses, the other is told, and the failure is on record."""
    bad, bad_url, _ = await serve_webhook(500)
    good, good_url, heard = await serve_webhook(200)
    targets = [WebhookTarget(url=bad_url), WebhookTarget(url=good_url)]
    notifier = build_notifier(Notify(webhooks=targets), record)
    await notifier.notify("s", "b", {})
    await notifier.drain()
    await bad.cleanup()
    await good.cleanup()
    assert len(heard) == 1
    said = [json.dumps(dict(e.data)) for e in record.entries() if e.kind is Kind.NOTIFICATION]
    assert any("500" in line for line in said)


async def test_without_any_target_the_record_still_knows(record, tmp_path: Path) -> None:
    """A project that configures nobody has the call for help in its timeline."""
    await build_notifier(Notify(), record).notify("s", "b", {"incident_id": "in-9"})
    entry = record.last_entry(Kind.NOTIFICATION)
    assert entry is not None
    assert entry.incident_id == "in-9"
    assert "human needed" in entry.text
