"""From the question to a person's own target: the link arrives there and stands nowhere else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from selfheal.approvals import Approvals, Link, Links
from selfheal.config import Notify, WebhookTarget
from selfheal.notification import build_notifier

from .support import Bench

Make = Callable[..., Bench]
LINKS = Links(b"k" * 32, "https://heal.example")


async def hook(heard: list[dict[str, Any]]) -> tuple[web.AppRunner, str]:
    """A chat service that notes what it is told."""

    async def take(request: web.Request) -> web.Response:
        heard.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"


async def test_links_go_to_their_person_only(bench: Make, caplog: pytest.LogCaptureFixture) -> None:
    """Anna's webhook gets anna's links, the room's gets the message without any, and neither the
    record, outbox included, nor the log has one."""
    caplog.set_level(logging.DEBUG)
    made = bench(approvers=["anna", "ben"])
    to_anna: list[dict[str, Any]] = []
    to_room: list[dict[str, Any]] = []
    servers = [await hook(to_anna), await hook(to_room)]
    targets = [
        WebhookTarget(url=servers[0][1], name="anna", person="anna"),
        WebhookTarget(url=servers[1][1], name="room"),
    ]
    notifier = build_notifier(Notify(webhooks=targets), made.record, extra=LINKS.text)
    made.approvals = Approvals(made.record, made.config, made.clock, notifier.notify)
    async with made.asking(made.healing()):
        await notifier.drain()
    for runner, _ in servers:
        await runner.cleanup()
    await asyncio.sleep(0)
    [message], [other] = to_anna, to_room
    token = message["body"].split("/answer/")[-1]
    link = LINKS.read(token)
    assert isinstance(link, Link)
    assert (link.who, link.verb) == ("anna", "deny")
    assert message["body"].count("/answer/") == 2
    assert "/answer/" not in str(other)
    record = made.record
    assert "/answer/" not in "\n".join(record.db.conn.iterdump()) + caplog.text  # type: ignore[attr-defined]
