"""The servers for tests themselves: ready when entered, gone when left."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.servers import (
    Alertmanager,
    Backend,
    Haproxy,
    Memcached,
    Nginx,
    Postgresql,
    Program,
    Prometheus,
    Redis,
    Server,
    Supervisord,
    await_fact,
    free_port,
    processes_in,
    require,
)

KINDS = ["alertmanager", "backend", "haproxy", "memcached", "nginx", "postgresql"]
KINDS += ["prometheus", "redis", "supervisord"]


def make(kind: str, directory: Path) -> Server:
    """A server of that kind with nothing special."""
    if kind == "alertmanager":
        return Alertmanager(directory, [])
    if kind == "prometheus":
        return Prometheus(directory, {})
    if kind == "haproxy":
        return Haproxy(directory, {"nobody": free_port()})
    if kind == "supervisord":
        forks = Program(["/bin/sh", "-c", "setsid sleep 300 & sleep 300"])
        return Supervisord(directory, {"forks": forks, "backend": Backend(directory / "backend")})
    kinds: dict[str, type[Server]] = {
        "backend": Backend,
        "memcached": Memcached,
        "nginx": Nginx,
        "postgresql": Postgresql,
        "redis": Redis,
    }
    return kinds[kind](directory)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_is_ready_when_entered_and_gone_when_left(kind: str, tmp_path: Path) -> None:
    """Each server serves inside `with`, can be stopped and started, and leaves no process."""
    with make(kind, tmp_path / kind) as server:
        assert server.ready()
        assert server.pid
        server.stop()
        assert not server.ready()
        server.start()
        assert server.ready()
    assert processes_in(tmp_path) == []
    assert not server.ready()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error holds what the server printed, and nothing is left."""
    redis = Redis(tmp_path / "redis", {"nosuch": "setting"})
    with pytest.raises(RuntimeError, match="nosuch"):
        redis.__enter__()
    assert processes_in(tmp_path) == []


def test_a_missing_program_fails_in_ci_and_skips_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a server may skip its tests; CI may not."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="nosuchserver is not installed"):
        require("nosuchserver")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="nosuchserver is not installed"):
        require("nosuchserver")


class Hook(HTTPServer):
    """Collects what is posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HookHandler)
        self.bodies: list[dict[str, object]] = []


class HookHandler(BaseHTTPRequestHandler):
    """One post."""

    server: Hook

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.server.bodies.append(json.loads(self.rfile.read(size)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_dead_backend_becomes_an_alert_and_its_return_a_resolved_one(
    tmp_path: Path, hook: Hook
) -> None:
    """Prometheus, Alertmanager and a webhook work together: the way of every drill."""
    rule = {
        "alert": "BackendDown",
        "expr": 'up{job="backend"} == 0',
        "labels": {"severity": "critical"},
    }
    webhook = f"http://127.0.0.1:{hook.server_port}/alerts"

    def statuses() -> list[object]:
        return [body["status"] for body in hook.bodies]

    with (
        Backend(tmp_path / "backend") as backend,
        Alertmanager(tmp_path / "alertmanager", [webhook]) as alertmanager,
        Prometheus(
            tmp_path / "prometheus",
            {"backend": [f"127.0.0.1:{backend.port}"]},
            [rule],
            alertmanager=f"127.0.0.1:{alertmanager.port}",
            interval="200ms",
        ) as prometheus,
    ):
        query = f"{prometheus.url}/api/v1/query?query=service_requests_total"
        await_fact("scraped", lambda: '"value"' in body_of(query))
        backend.stop()
        await_fact("firing", lambda: statuses() == ["firing"])
        backend.start()
        await_fact("resolved", lambda: statuses() == ["firing", "resolved"])


def body_of(url: str) -> str:
    """What a GET answers."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback http
        return str(answer.read().decode())
