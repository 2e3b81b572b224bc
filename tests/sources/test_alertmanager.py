"""The alertmanager source, under a real Alertmanager and under hand-made payloads."""

import contextlib
import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from selfheal.sources import ReportKind
from selfheal.sources.builtin.alertmanager import _hosts
from tests.servers import Alertmanager, free_port
from tests.servers.base import listens
from tests.sources.support import Run, running, until


@contextlib.asynccontextmanager
async def receiver(**args: Any) -> AsyncIterator[tuple[Run, str]]:
    port = free_port()
    async with running("ansible.eda.alertmanager", {"port": port, **args}) as run:
        await until(lambda: run.task.done() or listens(port))
        yield run, f"http://127.0.0.1:{port}/alerts"


async def post(url: str, body: Any, **options: Any) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=body, **options) as answer,
    ):
        return answer.status


ALERT = {"status": "firing", "labels": {"alertname": "Down", "instance": "web1:9100"}}
PAYLOAD = {"version": "4", "status": "firing", "alerts": [ALERT, {**ALERT, "status": "resolved"}]}


async def test_real_alertmanager(tmp_path: Path) -> None:
    """Alertmanager itself posts a firing alert and its resolution: two events with their host."""
    async with receiver(skip_original_data=True) as (run, url):
        with Alertmanager(tmp_path / "am", [url]) as alertmanager:
            now = datetime.datetime.now(datetime.UTC)
            alert = {
                "startsAt": (now - datetime.timedelta(seconds=60)).isoformat(),
                "labels": {"alertname": "BackendDown", "instance": "web1:8080"},
                "annotations": {"summary": "no answer"},
            }
            api = f"{alertmanager.url}/api/v2/alerts"
            assert await post(api, [alert]) == 200
            firing = await run.event()
            ended = {**alert, "endsAt": (now - datetime.timedelta(seconds=1)).isoformat()}
            assert await post(api, [ended]) == 200
            resolved = await run.event()
    assert firing["alert"]["status"] == "firing"
    assert firing["alert"]["labels"]["alertname"] == "BackendDown"
    assert firing["meta"]["hosts"] == ["web1"]
    assert firing["meta"]["endpoint"] == "alerts"
    assert resolved["alert"]["status"] == "resolved"
    # The same fault: nothing but its state differs.
    for key in ("fingerprint", "startsAt"):
        assert firing["alert"][key] == resolved["alert"][key]


async def test_original_comes_first() -> None:
    """As ansible.eda does by default: the whole payload, then one event for each alert."""
    async with receiver() as (run, url):
        assert await post(url, PAYLOAD) == 202
        events = run.events()
    assert events[0]["payload"] == PAYLOAD
    assert [event["alert"]["status"] for event in events[1:]] == ["firing", "resolved"]
    assert all(event["meta"]["hosts"] == ["web1"] for event in events[1:])


@pytest.mark.parametrize(
    ("args", "body", "alerts", "hosts"),
    [
        ({"data_alerts_path": "", "data_host_path": ""}, {"x": 1}, [{"x": 1}], [[]]),
        ({"data_alerts_path": "a/b", "data_path_separator": "/", "data_host_path": "h/i"},
         {"a": {"b": {"h": {"i": "db1"}}}}, [{"h": {"i": "db1"}}], [["db1"]]),
        ({}, {"alerts": [{"labels": {}}, {"labels": "odd"}]}, [{"labels": {}}, {"labels": "odd"}],
         [[], []]),
        ({}, {"no": "alerts"}, [], []),
        ({}, [1, 2], [], []),
        ({}, {"alerts": [{"labels": {"instance": ["a:1", "b:2"]}}]},
         [{"labels": {"instance": ["a:1", "b:2"]}}], [["a", "b"]]),
    ],
)  # fmt: skip
async def test_paths(
    args: dict[str, Any], body: Any, alerts: list[Any], hosts: list[list[str]]
) -> None:
    """Where the alerts and their hosts are can be set; what is not there is no error."""
    async with receiver(skip_original_data=True, **args) as (run, url):
        assert await post(url, body) == 202
        events = run.events()
    assert [event["alert"] for event in events] == alerts
    assert [event["meta"]["hosts"] for event in events] == hosts


@pytest.mark.parametrize(
    ("instance", "host"),
    [
        ("web1", "web1"),
        ("web1:9100", "web1"),
        ("[::1]:9100", "::1"),
        ("[fe80::1]", "fe80::1"),
        ("fe80::1", "fe80::1"),
    ],
)
def test_hosts(instance: str, host: str) -> None:
    """The port is no part of the host, of IPv6 addresses neither."""
    assert _hosts(instance) == [host]


async def test_one_bad_alert_does_not_keep_back_the_others() -> None:
    """An alert that can't be an event is refused and told; its neighbours are taken."""

    def picky(event: dict[str, Any]) -> list[dict[str, Any]]:
        return [event] if event["alert"]["status"] == "firing" else [{"bad": float("nan")}]

    port = free_port()
    args = {"port": port, "skip_original_data": True}
    async with running("alertmanager", args, pipeline=picky) as run:
        await until(lambda: listens(port))
        body = {"alerts": [{**ALERT, "status": "resolved"}, ALERT]}
        assert await post(f"http://127.0.0.1:{port}/x", body) == 422
        assert (await run.event())["alert"] == ALERT
        assert (await run.report(ReportKind.REFUSED)).count == 1


async def test_token() -> None:
    """Ours: Alertmanager may be asked for a token."""
    async with receiver(token="s3cret") as (run, url):
        assert await post(url, PAYLOAD) == 401
        assert await post(url, PAYLOAD, headers={"Authorization": "Bearer s3cret"}) == 202
        assert len(run.events()) == 3


async def test_bad_json_is_400() -> None:
    """What is no JSON is the sender's mistake."""
    async with (
        receiver() as (_, url),
        aiohttp.ClientSession() as session,
        session.post(url, data=b"{") as answer,
    ):
        assert answer.status == 400
