"""The web tier: HAProxy before a primary and a standby, nginx, redis; watched and healed.

Prometheus ─▶ Alertmanager ─▶ selfheal-engine ─▶ Ansible ─▶ supervisord, HAProxy, nginx, redis
"""

from __future__ import annotations

import json
import shutil
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
from xmlrpc.client import ServerProxy

from tests.servers import Haproxy, Nginx, Redis, Supervisord, await_fact, free_port
from tests.servers.base import http_status

from benchmarks.drills.servers import (
    App,
    Engine,
    Pager,
    RedisExporter,
    ShippedAlertmanager,
    ShippedPrometheus,
)
from selfheal.model import HealingState, IncidentState
from selfheal.ports import Record

# What was frozen a moment ago would be taken for frozen again (rules.yml): one drill would colour
# the next.
SEES_ALL = "count(up == 1 unless max_over_time(scrape_duration_seconds[10s]) >= 0.9)"


OFTEN = {"limits": [], "cooldown": False, "settle": False, "flapping": False}
"""Rails that let the same target break, and be healed, several times in a minute."""


class WebTier:
    """Everything in `folder`, on free ports. `settings` go to selfheal.yml."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        settings = {"rails": OFTEN, **settings}
        self.primary = App(folder / "app1", "app1")
        self.standby = App(folder / "app2", "app2")
        # nginx answers its metrics page at every path, which is all Prometheus needs.
        self.nginx = Nginx(folder / "nginx", text="nginx_serves 1")
        memory = {"maxmemory": "8mb", "maxmemory-policy": "noeviction"}
        self.redis = Redis(folder / "redis", memory)
        self.haproxy = Haproxy(
            folder / "haproxy", {"app1": self.primary.port}, {"app2": self.standby.port}
        )
        self.supervisord = Supervisord(
            folder / "supervisord",
            {
                "app1": self.primary.program,
                "app2": self.standby.program,
                "nginx": self.nginx,
                "redis": self.redis,
            },
        )
        self.pager = Pager()
        self._exporter = RedisExporter(folder / "exporter")
        port = free_port()
        self._alertmanager = ShippedAlertmanager(folder / "alertmanager", f"127.0.0.1:{port}")
        self._prometheus = ShippedPrometheus(folder / "prometheus", self._addresses())
        notify = {"webhooks": [{"url": self.pager.url}]}
        self.engine = Engine(
            folder / "project", port, self._variables(folder, port), notify=notify, **settings
        )
        self._running = ExitStack()

    @property
    def record(self) -> Record:
        """What the engine writes down."""
        return self.engine.record

    def __enter__(self) -> Self:
        with ExitStack() as running:
            running.enter_context(self.supervisord)
            # What was deployed well is noted, as update_config does and an operator may.
            shutil.copy(self.nginx.config, f"{self.nginx.config}.last-good")
            for server in (self.haproxy, self.pager, self.engine, self._exporter):
                running.enter_context(server)
            running.enter_context(self._alertmanager)
            running.enter_context(self._prometheus)
            self.await_green()
            self._running = running.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._running.close()

    def page(self) -> int:
        """The status that users see through HAProxy; 0 when nothing answers."""
        return http_status(f"{self.haproxy.url}/")

    def supervise(self, order: str, program: str) -> None:
        """Give supervisord an order (startProcess, stopProcess); faster than supervisorctl."""
        with ServerProxy(f"{self.supervisord.http_url}/RPC2") as supervisord:
            getattr(supervisord.supervisor, order)(program)

    def alerts(self) -> list[str]:
        """Names of the alerts that fire now, by Alertmanager's word."""
        url = f"{self._alertmanager.url}/api/v2/alerts?active=true"
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback http
            return [alert["labels"]["alertname"] for alert in json.load(answer)]

    def await_green(self) -> None:
        """Return when users are served, every server is well, no alert fires, the engine rests."""
        well = "every server is well"
        await_fact(well, lambda: self.page() == 200 and self.primary.ready())
        await_fact(well, lambda: self.standby.ready() and self.nginx.ready())
        await_fact(well, lambda: self.redis.try_ask("SET", "probe:0", "x") == "OK")
        await_fact("Prometheus sees all", self._sees_all)
        await_fact("no alert fires", lambda: not self.alerts())
        await_fact("the engine rests", self._rests)

    def _sees_all(self) -> bool:
        url = f"{self._prometheus.url}/api/v1/query?query={quote(SEES_ALL)}"
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback http
            found = json.load(answer)["data"]["result"]
        return bool(found) and found[0]["value"][1] == "4"

    def _rests(self) -> bool:
        open_ones = self.record.incidents(state=IncidentState.OPEN.value)
        return not open_ones and all(
            healing.state is HealingState.DONE for healing in self.record.healings()
        )

    def _addresses(self) -> dict[str, str]:
        """Shipped address to real one."""
        servers = {
            8001: self.primary,
            8002: self.standby,
            8080: self.nginx,
            6379: self.redis,
            9121: self._exporter,
            9093: self._alertmanager,
        }
        return {f"127.0.0.1:{port}": f"127.0.0.1:{one.port}" for port, one in servers.items()}

    def _variables(self, folder: Path, port: int) -> dict[str, Any]:
        return {
            "alertmanager_port": port,
            "prometheus_url": self._prometheus.url,
            "supervisor_url": self.supervisord.http_url,
            "pid_folder": str(folder),
            "web_url": f"{self.haproxy.url}/",
            "haproxy_socket": str(self.haproxy.socket),
            "haproxy_backend": self.haproxy.backend,
            "standby": "app2",
            "standby_url": f"{self.standby.url}/healthz",
            "nginx_config": str(self.nginx.config),
            "nginx_check": self.nginx.validate,
            "redis_port": self.redis.port,
        }
